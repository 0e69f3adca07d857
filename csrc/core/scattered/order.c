/* Scattered pointers in the caller's order, runs of neighbours as one range; see order.h. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

/* Elements gathered at a time. */
#define RUN SCATTERED_RUN

struct ordered_scratch {
    uint64_t addresses[RUN];
    unsigned char packed[RUN * 8];
    pointer_range ranges[RUN];
    core_guard *guard;
};

ordered_scratch *scattered_ordered_create(void)
{
    ordered_scratch *scratch = calloc(1, sizeof *scratch);

    if (scratch != NULL) {
        scratch->guard = core_guard_create();
        if (scratch->guard == NULL) {
            free(scratch);
            scratch = NULL;
        }
    }
    return scratch;
}

void scattered_ordered_free(ordered_scratch *scratch)
{
    if (scratch != NULL) {
        core_guard_free(scratch->guard);
        free(scratch);
    }
}

/* Makes one range of each run of neighbours. Returns the number of ranges. */
static ULONG merge(ordered_scratch *scratch, uint64_t count, uint32_t width)
{
    ULONG ranges = 0;

    for (uint64_t i = 0; i < count; i++) {
        pointer_range *last = ranges == 0 ? NULL : &scratch->ranges[ranges - 1];

        if (last != NULL && last->Offset + last->Size == scratch->addresses[i]) {
            last->Size += width;
        } else {
            scratch->ranges[ranges].Offset = scratch->addresses[i];
            scratch->ranges[ranges].Data = scratch->packed + i * width;
            scratch->ranges[ranges].Size = width;
            ranges++;
        }
    }
    return ranges;
}

/* Returns whether a write that fails in the middle could tear a pointer of this range. */
static bool may_tear(const scattered_job *job, const pointer_range *range)
{
    uint64_t in_page = range->Offset & (SPAN_PAGE - 1);

    return !job->by_page || (range->Offset % job->width != 0 && in_page + range->Size > SPAN_PAGE);
}

static bool write_ranges(scattered_job *job, ULONG count, ordered_scratch *scratch)
{
    HRESULT status = S_OK;
    ULONG i = 0;

    while (status == S_OK && i < count) {
        ULONG run = 0, done = 0;

        while (job->target->scatter != NULL && i + run < count &&
               !may_tear(job, &scratch->ranges[i + run])) {
            run++;
        }
        if (run == 0) {
            core_outcome outcome = scattered_write_whole(job, &scratch->ranges[i], scratch->guard);

            status = outcome.status;
            if (status != S_OK) {
                core_engine_error(job->error, outcome.method, status);
            }
            i++;
        } else {
            status = scattered_move(job->target, true, &scratch->ranges[i], run, &done);
            if (status != S_OK) {
                core_engine_error(job->error, "WriteVirtual", status);
            }
            i += run;
        }
    }
    return status == S_OK;
}

bool scattered_write_ordered(scattered_job *job, uint64_t from, uint64_t count,
                             ordered_scratch *scratch)
{
    core_error *error = job->error;
    bool good = true;

    for (uint64_t done = 0; good && done < count;) {
        uint64_t run = count - done < job->run ? count - done : job->run;
        uint64_t whole;
        pointer_view part;

        pointer_view_gather(&job->request->addresses, from + done, run, scratch->addresses);
        part = pointer_view_part(&job->request->values, from + done, run);
        whole = pointer_view_pack(&part, job->width, job->must_fit, scratch->packed, &error->value);
        good = write_ranges(job, merge(scratch, whole, job->width), scratch);
        if (good && whole < run) { /* the caller's memory has changed since it was checked */
            error->status = CORE_POINTER_RANGE;
            error->index = from + done + whole;
            good = false;
        }
        done += run;
        if (good) {
            error->done += run;
        }
        good = good && scattered_step(job, error->done, run);
    }
    return good;
}

bool scattered_read_ordered(scattered_job *job, uint64_t from, uint64_t count,
                            ordered_scratch *scratch)
{
    uint64_t *to = job->request->to;
    core_error *error = job->error;
    bool good = true;

    for (uint64_t done = 0; good && done < count;) {
        uint64_t run = count - done < job->run ? count - done : job->run;
        ULONG ranges, moved = 0;
        HRESULT status;

        pointer_view_gather(&job->request->addresses, from + done, run, scratch->addresses);
        ranges = merge(scratch, run, job->width);
        status = scattered_move(job->target, false, scratch->ranges, ranges, &moved);
        if (status != S_OK) {
            /* Reads one by one, up to the first that can't be read. */
            core_engine_error(error, "ReadVirtual", status);
            error->known = status != E_UNEXPECTED;
            for (uint64_t i = 0; i < run; i++) {
                pointer_range one = {scratch->addresses[i], scratch->packed + i * job->width,
                                     job->width};

                if (scattered_move(job->target, false, &one, 1, &moved) != S_OK) {
                    run = i;
                }
            }
            good = false;
        }
        for (uint64_t i = 0; i < run; i++) {
            uint64_t value = 0;

            memcpy(&value, scratch->packed + i * job->width, job->width);
            to[from + done + i] = value;
        }
        done += run;
        error->done += run;
        good = good && scattered_step(job, error->done, run);
    }
    return good;
}
