/* Looking through a target's memory: SearchVirtual and GetValidRegionVirtual. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_SEARCH_H
#define PYDBGWRITE_ENGINES_EMBEDDED_SEARCH_H

#include "target.h"

/* Both take a range that does not wrap. */
HRESULT embedded_search(embedded_target *embedded, uint64_t address, uint64_t length,
                        const void *pattern, uint32_t pattern_size, uint32_t granularity,
                        uint64_t *match);
HRESULT embedded_first_valid_region(embedded_target *embedded, uint64_t base, uint64_t size,
                                    uint64_t *valid_base, ULONG *valid_size);

#endif
