/* The size of the next chunk of long work; see pace.h. */
#include "pace.h"

/* A chunk grows at most so many times over the last, where the pace does not say otherwise: one
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
