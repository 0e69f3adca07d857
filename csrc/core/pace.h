/* Long work is cut into chunks, so that Ctrl-C, progress and other threads get their turn.
 *
 * Chunks are sized by measured time: Microsoft's engine takes microseconds a pointer (through a
 * process server one network round trip), the embedded one about a nanosecond.
 */
#ifndef PYDBGWRITE_CORE_PACE_H
#define PYDBGWRITE_CORE_PACE_H

#include "error.h"

typedef struct core_pace {
    /* Called between chunks, and after the last chunk of a request that has several; false stops
     * the work. `done` elements of `total` are done; 0 while the input is checked. */
    bool (*step)(void *context, uint64_t done, uint64_t total);
    uint64_t (*now_ns)(void); /* a monotonic clock */
    void *context;
    uint64_t first_chunk; /* elements; a request of no more is one chunk, without the clock */
    uint64_t chunk_ns;    /* how long a chunk should take */
    uint64_t growth;      /* a chunk is at most this many times as large as the last; 0: default */
    uint64_t most;        /* the most elements of a chunk; 0: the caller sets no limit */
} core_pace;

/* The most elements that one engine call takes: its counts and sizes are ULONGs. */
#define CORE_MOST_COUNT UINT64_C(0xFFFFFFFF)

/* Returns the size of the next chunk, from the last one's size and duration. */
uint64_t core_pace_next(const core_pace *pace, uint64_t last, uint64_t took_ns);

/* Returns the most elements that a chunk may have. */
static inline uint64_t core_pace_most(const core_pace *pace)
{
    return pace->most > 0 && pace->most < CORE_MOST_COUNT ? pace->most : CORE_MOST_COUNT;
}

/* A request of `count` elements under way. */
typedef struct core_chunks {
    const core_pace *pace;
    uint64_t count;
    uint64_t size;    /* of the current chunk */
    uint64_t started; /* when it began; 0: the request is one chunk and needs no clock */
} core_chunks;

/* Sizes the first chunk, and starts the clock. */
static inline core_chunks core_chunks_begin(const core_pace *pace, uint64_t count)
{
    core_chunks chunks = {pace, count, count <= pace->first_chunk ? count : pace->first_chunk, 0};

    if (chunks.size > core_pace_most(pace)) {
        chunks.size = core_pace_most(pace);
    }
    if (chunks.size < count) {
        chunks.started = pace->now_ns();
    }
    return chunks;
}

/* After a chunk that error->done counts: calls the pace's step and sizes the next chunk. False if
 * nothing is left, or the step stopped the work (CORE_STOPPED). */
bool core_chunks_next(core_chunks *chunks, core_error *error);

/* Input is checked in pieces of this many pointers before anything is written. */
#define CORE_CHECKED_AT_ONCE (UINT64_C(1) << 22)

/* Between two such pieces: calls the step, with nothing done yet. False: the step stopped the work.
 */
bool core_pace_check(const core_pace *pace, uint64_t count, core_error *error);

#endif
