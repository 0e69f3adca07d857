/* Searches a target's memory: SearchVirtual and GetValidRegionVirtual. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_SEARCH_H
#define PYDBGWRITE_ENGINES_EMBEDDED_SEARCH_H

#include "target.h"

typedef struct embedded_pattern {
    const void *bytes;
    uint32_t size;
    uint32_t granularity; /* matches are multiples of it apart */
} embedded_pattern;

/* Both functions take a range that does not wrap. */
HRESULT embedded_search(embedded_target *embedded, uint64_t address, uint64_t length,
                        const embedded_pattern *pattern, uint64_t *match);

/* If there is no region, base and size are 0, as observed on dbgeng. */
void embedded_first_valid_region(embedded_target *embedded, uint64_t base, uint64_t size,
                                 uint64_t *valid_base, ULONG *valid_size);

#endif
