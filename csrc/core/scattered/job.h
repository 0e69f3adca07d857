/* What scattered.c is made of: ranges in order, pages of a stopped target, and reading back. */
#ifndef PYDBGWRITE_CORE_SCATTERED_JOB_H
#define PYDBGWRITE_CORE_SCATTERED_JOB_H

#include "../bulk.h"
#include "../compare.h"
#include "radix.h"
#include "scattered.h"

/* Spans stay within pages of this size; larger ones of a target are as good. */
#define SPAN_PAGE UINT64_C(4096)

/* Elements of one piece in the caller's order, at most. */
#define SCATTERED_RUN 4096u

typedef struct scattered_job {
    const core_target *target;
    const pointer_view *addresses;
    const pointer_view *values; /* of what is written; NULL when reading */
    uint64_t *to;               /* of what is read; NULL when writing */
    const core_pace *pace;
    core_error *error;
    uint32_t width;
    bool check; /* values for a 32-bit target must fit */
    bool spans;
    bool by_page; /* a page's boundary is where access can change: pointers in a page go whole */
    uint64_t run; /* elements of the next piece in the caller's order */
    uint64_t stepped; /* when the pace's step was last called */
    uint64_t ended;   /* when the last piece ended */
} scattered_job;

static inline uint64_t scattered_address(const scattered_job *job, uint64_t index)
{
    uint64_t address;

    pointer_view_gather(job->addresses, index, 1, &address);
    return address;
}

/* Does a pointer lie in two pages? */
static inline bool scattered_crosses(const scattered_job *job, uint64_t address)
{
    return (address & (SPAN_PAGE - 1)) > SPAN_PAGE - job->width;
}

/* Moves ranges in order, by IPointerScatter or one by one; *done whole ones were moved. */
HRESULT scattered_move(const core_target *target, bool writing, const pointer_range *ranges,
                       ULONG count, ULONG *done);

/* Writes one range in a way that leaves every pointer whole, also where a write may end inside one.
 */
bulk_outcome scattered_write_whole(const scattered_job *job, const pointer_range *range,
                                   bulk_buffer *buffer);

/* Elements from..from+count-1 in the caller's order. After a failure error->done counts all that
 * came before the engine call that failed. `room` is memory for it. */
typedef struct ordered_room ordered_room;
ordered_room *scattered_room_create(void);
void scattered_room_free(ordered_room *room);
bool scattered_write_ordered(scattered_job *job, uint64_t from, uint64_t count, ordered_room *room);
bool scattered_read_ordered(scattered_job *job, uint64_t from, uint64_t count, ordered_room *room);

/* The same elements in the order of pages, for a stopped target. */
typedef enum sorted_outcome {
    SORTED_DONE,
    SORTED_STOPPED, /* the step said stop, and job->error too */
    SORTED_FAILED,  /* some call failed: in the caller's order it will be found which */
} sorted_outcome;

typedef struct sorted_room sorted_room;
sorted_room *scattered_sorted_create(uint64_t count); /* NULL: memory is short */
void scattered_sorted_free(sorted_room *room);
sorted_outcome scattered_sorted(scattered_job *job, uint64_t from, uint64_t count,
                                sorted_room *room);

/* How many of the elements from..from+count-1 the target holds, from the first on. False: nobody
 * knows, for the target no longer answers, or memory (32 bytes an element) is short. */
bool scattered_count(const scattered_job *job, uint64_t from, uint64_t count, uint64_t *landed);

/* Compares all elements as they lie in the target with what they leave there together, in order of
 * address. job->error says so where an address can't be read, or memory is short. */
void scattered_differences(const scattered_job *job, core_differences *found);

/* After a piece of `run` elements, when `done` of all are done: sizes the next piece, and calls the
 * pace's step where a chunk's time is over. False: stop; job->error says so too. */
bool scattered_step(scattered_job *job, uint64_t done, uint64_t run);

#endif
