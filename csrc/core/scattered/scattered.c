/* Writing and reading scattered pointers: checks, the choice of a way, errors; see scattered.h. */
#include "scattered.h"

#include <string.h>

#include "../chunk.h"
#include "../read_back.h"
#include "job.h"

/* Fewer elements are not worth sorting. */
#define LEAST_SORTED 8u

bool scattered_step(scattered_job *job, uint64_t done, uint64_t run)
{
    const core_pace *pace = job->pace;
    uint64_t total = job->addresses->count;
    bool go_on = true;

    if (total > pace->first_chunk) { /* smaller requests need no clock */
        uint64_t now = pace->now_ns();

        job->run = core_pace_next(pace, run, now - job->ended);
        job->run = job->run < SCATTERED_RUN ? job->run : SCATTERED_RUN;
        if (now - job->stepped >= pace->chunk_ns) {
            go_on = pace->step(pace->context, done, total);
            now = pace->now_ns();
            job->stepped = now;
        }
        job->ended = now;
        if (!go_on) {
            job->error->status = CORE_STOPPED;
        }
    }
    return go_on;
}

/* Every address must leave room for a pointer below 2^64. */
static void check_addresses(const pointer_view *addresses, const core_pace *pace, core_error *error)
{
    uint64_t last = UINT64_MAX - (error->width - 1);
    uint64_t i = 0, address = 0;
    bool more = addresses->count > 0;

    while (more) {
        uint64_t left = addresses->count - i;
        uint64_t past = i + (left < CORE_LOOK_POINTERS ? left : CORE_LOOK_POINTERS);

        for (; i < past && address <= last; i++) {
            memcpy(&address, pointer_view_at(addresses, i), sizeof address);
        }
        more = address <= last && i < addresses->count &&
               core_chunk_look(pace, addresses->count, error);
    }
    if (address > last) {
        error->status = CORE_WRAPS;
        error->index = i - 1;
        error->at = address;
    }
}

bool core_begin_scattered(const core_target *target, const pointer_view *addresses,
                          const core_pace *pace, core_error *error)
{
    memset(error, 0, sizeof *error);
    error->scattered = true;
    error->count = addresses->count;
    error->width = core_pointer_size(target, error);
    if (error->count > 0) {
        pointer_view_gather(addresses, 0, 1, &error->address);
        error->at = error->address;
    }
    if (error->status == CORE_OK) {
        check_addresses(addresses, pace, error);
    }
    return error->status == CORE_OK;
}

/* Granules are pages, or at least no pointer within a page lies in two of them. */
static bool granule_is_page(const core_target *target)
{
    ULONG granule = (ULONG)SPAN_PAGE;

    return target->scatter == NULL ||
           (target->scatter->lpVtbl->GetGranule(target->scatter, &granule) == S_OK &&
            granule % SPAN_PAGE == 0);
}

/* What both directions begin with. False: the request ends here. */
static bool begin(scattered_job *job)
{
    core_error *error = job->error;

    if (core_begin_scattered(job->target, job->addresses, job->pace, error)) {
        job->width = error->width;
        job->by_page = granule_is_page(job->target);
        job->run = job->pace->first_chunk < SCATTERED_RUN ? job->pace->first_chunk : SCATTERED_RUN;
        if (error->count > job->pace->first_chunk) {
            job->stepped = job->ended = job->pace->now_ns();
        }
    }
    if (error->status == CORE_OK && job->check) {
        job->check = job->width == 4;
        if (job->check) {
            (void)core_check_values(job->values, job->pace, error);
        }
    }
    return error->status == CORE_OK && error->count > 0;
}

/* All elements, block by block: a stopped target's sorted where that works, else in order. */
static void move_all(scattered_job *job)
{
    core_error *error = job->error;
    uint64_t count = job->addresses->count;
    ordered_room *room = NULL;
    sorted_room *pages = NULL;
    bool sorts = job->target->stopped && count >= LEAST_SORTED;
    bool good = true;

    if (sorts) {
        pages = scattered_sorted_create(count); /* NULL: then in order, which needs little memory */
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

            /* Some of each part of the block: the leading ones are what the caller is told. */
            if (job->to == NULL && scattered_count(job, from, block, &landed)) {
                error->done += landed;
            }
            good = false;
        } else {
            if (room == NULL) {
                room = scattered_room_create();
            }
            if (room == NULL) {
                core_engine_error(error, job->to == NULL ? "WriteVirtual" : "ReadVirtual",
                                  E_OUTOFMEMORY);
                good = false;
            } else {
                good = job->to == NULL ? scattered_write_ordered(job, from, block, room)
                                       : scattered_read_ordered(job, from, block, room);
            }
        }
    }
    scattered_sorted_free(pages);
    scattered_room_free(room);
}

static void note_place(scattered_job *job)
{
    core_error *error = job->error;

    if (error->known && error->landed < error->count) {
        error->at = scattered_address(job, error->landed);
    }
}

bool core_count_scattered(const core_target *target, const pointer_view *addresses,
                          const pointer_view *values, uint32_t width, uint64_t *landed)
{
    scattered_job job = {
        .target = target, .addresses = addresses, .values = values, .width = width};

    return scattered_count(&job, 0, addresses->count, landed);
}

core_status core_write_scattered(const core_target *target, const pointer_view *addresses,
                                 const pointer_view *values, bool truncate, bool spans,
                                 const core_pace *pace, core_error *error)
{
    scattered_job job = {.target = target,
                         .addresses = addresses,
                         .values = values,
                         .pace = pace,
                         .error = error,
                         .check = !truncate,
                         .spans = spans};

    if (begin(&job)) {
        move_all(&job);
        if (error->status == CORE_ENGINE || error->status == CORE_POINTER_RANGE) {
            error->known = scattered_count(&job, 0, error->count, &error->landed);
            core_limit_landed(error);
            note_place(&job);
        }
    }
    return error->status;
}

core_status core_read_scattered(const core_target *target, const pointer_view *addresses,
                                uint64_t *to, const core_pace *pace, core_error *error)
{
    scattered_job job = {.target = target,
                         .addresses = addresses,
                         .to = to,
                         .pace = pace,
                         .error = error,
                         .spans = true};

    if (begin(&job)) {
        move_all(&job);
        error->landed = error->done;
        note_place(&job);
    }
    return error->status;
}
