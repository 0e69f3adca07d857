/* A running scattered request, and the functions that the ways of carrying it out share. */
#ifndef PYDBGWRITE_CORE_SCATTERED_JOB_H
#define PYDBGWRITE_CORE_SCATTERED_JOB_H

#include "../request.h"
#include "../whole.h"

/* Spans stay within pages of this size; a target's larger pages serve as well. */
#define SPAN_PAGE UINT64_C(4096)

/* Elements of one piece in the caller's order, at most. */
#define SCATTERED_RUN 4096u

typedef struct scattered_job {
    const core_target *target;
    const core_request *request;
    const core_kept *kept; /* NULL: nothing is kept */
    const core_pace *pace;
    core_error *error;
    uint32_t width;
    bool reading;
    bool must_fit;    /* values for a 32-bit target must fit */
    bool by_page;     /* access changes only at page boundaries: pointers in a page go whole */
    uint64_t run;     /* elements of the next piece in the caller's order */
    uint64_t stepped; /* when the pace's step was last called */
    uint64_t ended;   /* when the last piece ended */
} scattered_job;

static inline uint64_t scattered_address(const scattered_job *job, uint64_t index)
{
    uint64_t address;

    pointer_view_gather(&job->request->addresses, index, 1, &address);
    return address;
}

/* After a piece of `run` elements, when `done` of all are done: sizes the next piece, and calls the
 * pace's step if a chunk's time is over. False: stop; job->error says so too. */
bool scattered_step(scattered_job *job, uint64_t done, uint64_t run);

/* Returns whether spans are worth the question of whether they are allowed. */
static inline bool scattered_may_span(const scattered_job *job)
{
    return !job->target->spans_cost || job->error->count >= 256u;
}

/* Moves ranges in order, by IPointerScatter or one by one; *done is the number of whole ones moved.
 */
HRESULT scattered_move(const core_target *target, bool writing, const pointer_range *ranges,
                       ULONG count, ULONG *done);

/* Writes one range so that every pointer is whole, even if a write may end inside one. */
core_outcome scattered_write_whole(const scattered_job *job, const pointer_range *range,
                                   core_guard *guard);

#endif
