/* Sizing chunks, and the steps between them; see pace.h. */
#include "pace.h"

/* A chunk is at most this many times as large as the last, unless the pace says otherwise: one
 * quick chunk may have been luck. */
#define GROWTH 16u

uint64_t core_pace_next(const core_pace *pace, uint64_t last, uint64_t took_ns)
{
    uint64_t growth = pace->growth > 0 ? pace->growth : GROWTH;
    uint64_t next = last <= UINT64_MAX / growth ? last * growth : UINT64_MAX;

    if (took_ns >= pace->chunk_ns / growth) {
        /* last * chunk_ns / took_ns, without overflow: chunks stay far below 2^40 elements. */
        uint64_t per_element_ps = took_ns <= UINT64_MAX / 1000 ? took_ns * 1000 / last : took_ns;
        uint64_t wanted = pace->chunk_ns * 1000 / (per_element_ps > 0 ? per_element_ps : 1);

        next = wanted < next ? wanted : next;
    }
    return next > 0 ? next : 1;
}

bool core_chunks_next(core_chunks *chunks, core_error *error)
{
    const core_pace *pace = chunks->pace;
    uint64_t left = chunks->count - error->done;
    uint64_t most = core_pace_most(pace);

    if (chunks->started > 0) {
        chunks->size = core_pace_next(pace, chunks->size, pace->now_ns() - chunks->started);
        if (!pace->step(pace->context, error->done, chunks->count)) {
            error->status = CORE_STOPPED;
        }
        chunks->started = pace->now_ns();
    }
    if (chunks->size > most) {
        chunks->size = most;
    }
    if (chunks->size > left) {
        chunks->size = left;
    }
    return error->status == CORE_OK && left > 0;
}

bool core_pace_check(const core_pace *pace, uint64_t count, core_error *error)
{
    if (!pace->step(pace->context, 0, count)) {
        error->status = CORE_STOPPED;
        error->known = true; /* nothing was written */
    }
    return error->status == CORE_OK;
}
