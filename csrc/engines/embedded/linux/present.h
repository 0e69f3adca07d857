/* Determines which pages of a process can be accessed without a wait for another program. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H

#include "held.h"
#include "maps.h"

/* Returns how many leading bytes of a range lie in such pages: the process has them in private
 * memory, and no other program handles a write to them. Nothing is known of any other page. */
size_t linux_present_bytes(linux_target *process, uint64_t address, size_t size);

/* True if the region is memory, not a file; shared memory counts as memory. The kernel, or a
 * handler of userfaultfd(2), fills its absent pages. */
bool linux_present_in_memory(linux_target *process, const linux_region *region);

/* Records that pages of such a region have just been moved: they are present, although they may
 * belong to a file. */
void linux_present_learn(linux_target *process, uint64_t address, size_t size);

#endif
