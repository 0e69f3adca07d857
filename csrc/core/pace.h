/* How long work is cut into chunks, so that Ctrl-C, progress and other threads get their turn.
 *
 * Chunks are sized by measured time: a genuine engine takes microseconds a pointer (through a
 * process server one network round trip), an embedded one about a nanosecond.
 */
#ifndef PYDBGWRITE_CORE_PACE_H
#define PYDBGWRITE_CORE_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct core_pace {
    /* Called between chunks and after the last one of a request of several; false stops the work.
     * `done` elements of `total` are done; 0 while the input is looked through. */
    bool (*step)(void *context, uint64_t done, uint64_t total);
    uint64_t (*now_ns)(void); /* a clock that never goes back */
    void *context;
    uint64_t first_chunk; /* elements; requests of no more go in one chunk, without the clock */
    uint64_t chunk_ns;    /* how long a chunk should take */
    uint64_t growth;      /* a chunk is at most so many times as large as the last; 0: as usual */
    uint64_t most;        /* elements a chunk may have at all; 0: no limit of the caller's */
} core_pace;

/* The size of the next chunk, given the last one's and how long it took. */
uint64_t core_pace_next(const core_pace *pace, uint64_t last, uint64_t took_ns);

#endif
