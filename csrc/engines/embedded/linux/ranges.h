/* Many ranges, and very large ones, of the memory of a live Linux process. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_RANGES_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_RANGES_H

#include "../target.h"

/* The members of embedded_target_operations; see target.h. */
HRESULT linux_ranges_move(embedded_target *self, bool writing, const pointer_range *ranges,
                          size_t count, size_t *done);
HRESULT linux_ranges_span_region(embedded_target *self, uint64_t address, uint64_t *end);

#endif
