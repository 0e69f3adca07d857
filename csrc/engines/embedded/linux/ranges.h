/* Many ranges, and very large ones, of the memory of a live Linux process. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_RANGES_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_RANGES_H

#include "memory.h"

/* The members of embedded_target_operations; see target.h. */
HRESULT linux_ranges_move(embedded_target *self, bool writing, const pointer_range *ranges,
                          size_t count, size_t *done);
HRESULT linux_ranges_span_region(embedded_target *self, uint64_t address, uint64_t *end);

/* Does the memory of a stopped process belong to its own, stopped threads alone? */
bool linux_ranges_alone(linux_target *process);

/* Does a process outside the stopped one share its memory (clone with CLONE_VM, as vfork does), so
 * that it may change at any time? Also true where that can't be told. Looks at every process. */
bool linux_memory_is_shared(int32_t process);

#endif
