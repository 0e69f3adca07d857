/* Writing and reading scattered pointers: the checks, and the choice of a way; see scattered.h. */
#include "scattered.h"

#include "../narrow.h"
#include "job.h"
#include "order.h"
#include "sites.h"
#include "sorted.h"

/* Fewer elements are not worth sorting. */
#define LEAST_SORTED 8u

/* Returns whether granules are pages, or at least no pointer within a page lies in two of them. */
static bool granule_is_page(const core_target *target)
{
    ULONG granule = (ULONG)SPAN_PAGE;

    return target->scatter == NULL ||
           (target->scatter->lpVtbl->GetGranule(target->scatter, &granule) == S_OK &&
            granule % SPAN_PAGE == 0);
}

static scattered_job begin(const core_target *target, const core_request *request,
                           const core_pace *pace, core_error *error)
{
    scattered_job job = {.target = target,
                         .request = request,
                         .pace = pace,
                         .error = error,
                         .width = error->width,
                         .by_page = granule_is_page(target)};

    job.run = pace->first_chunk < SCATTERED_RUN ? pace->first_chunk : SCATTERED_RUN;
    if (error->count > pace->first_chunk) {
        job.stepped = job.ended = pace->now_ns();
    }
    return job;
}

/* Moves all elements, block by block. A stopped target's are sorted if that works; otherwise they
 * are moved in order. */
static void move_all(scattered_job *job)
{
    core_error *error = job->error;
    uint64_t count = error->count;
    ordered_scratch *scratch = NULL;
    sorted_pages *pages = NULL;
    bool good = true;

    if (job->target->stopped && count >= LEAST_SORTED) {
        pages = scattered_sorted_create(count, job); /* NULL: in order, which needs little memory */
    }
    while (good && error->done < count) {
        uint64_t from = error->done;
        uint64_t left = count - from;
        uint64_t block = left < CORE_SORTED_AT_ONCE ? left : CORE_SORTED_AT_ONCE;
        sorted_outcome outcome =
            pages == NULL ? SORTED_FAILED : scattered_sorted(job, from, block, pages);

        if (outcome == SORTED_DONE) {
            error->done += block;
            good = scattered_step(job, error->done, block);
        } else if (outcome == SORTED_STOPPED) {
            uint64_t landed = 0;

            /* Elements in any part of the block may be written: the caller gets the number of
             * leading ones. */
            if (!job->reading && scattered_count(job, from, block, &landed)) {
                error->done += landed;
            }
            good = false;
        } else {
            if (scratch == NULL) {
                scratch = scattered_ordered_create();
            }
            if (scratch == NULL) {
                core_engine_error(error, job->reading ? "ReadVirtual" : "WriteVirtual",
                                  E_OUTOFMEMORY);
                good = false;
            } else {
                good = job->reading ? scattered_read_ordered(job, from, block, scratch)
                                    : scattered_write_ordered(job, from, block, scratch);
            }
        }
    }
    scattered_sorted_free(pages);
    scattered_ordered_free(scratch);
}

void core_write_scattered(const core_target *target, const core_request *request,
                          const core_pace *pace, core_error *error)
{
    scattered_job job = begin(target, request, pace, error);

    job.must_fit = core_must_fit(request, error->width);
    if (!job.must_fit || request->checked || core_check_values(&request->values, pace, error)) {
        move_all(&job);
    }
}

bool core_write_scattered_kept(const core_target *target, const core_request *request,
                               const core_pace *pace, const core_kept *kept, core_error *error)
{
    scattered_job job = begin(target, request, pace, error);
    uint64_t count = error->count, landed = 0;
    sorted_outcome outcome = SORTED_FAILED;
    sorted_pages *pages = NULL;

    job.kept = kept;
    job.must_fit = core_must_fit(request, error->width);
    if (target->stopped && request->spans && job.by_page && count >= LEAST_SORTED &&
        scattered_may_span(&job) && count <= CORE_SORTED_AT_ONCE) {
        pages = scattered_sorted_create(count, &job);
    }
    if (pages != NULL) {
        outcome = scattered_sorted(&job, 0, count, pages);
    }
    if (outcome == SORTED_DONE) {
        error->done = count;
    } else if (outcome == SORTED_STOPPED && scattered_count(&job, 0, count, &landed)) {
        error->done = landed;
    }
    scattered_sorted_free(pages);
    return outcome != SORTED_FAILED;
}

void core_read_scattered(const core_target *target, const core_request *request,
                         const core_pace *pace, core_error *error)
{
    scattered_job job = begin(target, request, pace, error);

    job.reading = true;
    move_all(&job);
    error->landed = error->done;
    if (error->known && error->landed < error->count) {
        error->at = scattered_address(&job, error->landed);
    }
}

bool core_count_scattered(const core_target *target, const core_request *request, uint32_t width,
                          uint64_t *landed)
{
    scattered_job job = {.target = target, .request = request, .width = width};

    return scattered_count(&job, 0, request->values.count, landed);
}
