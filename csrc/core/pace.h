/* How long work is cut into chunks, so that Ctrl-C, progress and other threads get their turn.
 *
 * Chunks are sized by measured time: Microsoft's engine takes microseconds a pointer (through a
 * process server one network round trip), the embedded one about a nanosecond.
 */
#ifndef PYDBGWRITE_CORE_PACE_H
#define PYDBGWRITE_CORE_PACE_H

#include "error.h"

typedef struct core_pace {
    /* Called between chunks and after the last one of a request of several; false stops the work.
     * `done` elements of `total` are done; 0 while the input is checked. */
    bool (*step)(void *context, uint64_t done, uint64_t total);
    uint64_t (*now_ns)(void); /* a clock that never goes back */
    void *context;
    uint64_t first_chunk; /* elements; requests of no more go in one chunk, without the clock */
    uint64_t chunk_ns;    /* how long a chunk should take */
    uint64_t growth;      /* a chunk is at most so many times as large as the last; 0: as usual */
    uint64_t most;        /* elements a chunk may have at all; 0: no limit of the caller's */
} core_pace;

/* The most elements one engine call takes: its counts and sizes are ULONGs. */
#define CORE_MOST_COUNT UINT64_C(0xFFFFFFFF)

/* The size of the next chunk, given the last one's and how long it took. */
uint64_t core_pace_next(const core_pace *pace, uint64_t last, uint64_t took_ns);

/* A request of `count` elements under way. */
typedef struct core_chunks {
    const core_pace *pace;
    uint64_t count;
    uint64_t size;    /* of the chunk at hand */
    uint64_t started; /* when it began; 0: the request is one chunk and needs no clock */
} core_chunks;

/* Sizes the first chunk, and starts the clock. */
core_chunks core_chunks_begin(const core_pace *pace, uint64_t count);

/* After a chunk that error->done counts: calls the pace's step and sizes the next chunk. False if
 * nothing is left, or the step said stop (CORE_STOPPED). */
bool core_chunks_next(core_chunks *chunks, core_error *error);

/* Input is checked in pieces of so many pointers before anything is written. */
#define CORE_CHECKED_AT_ONCE (UINT64_C(1) << 22)

/* Between two such pieces: calls the step, with nothing done yet. False: it said stop. */
bool core_pace_check(const core_pace *pace, uint64_t count, core_error *error);

#endif
