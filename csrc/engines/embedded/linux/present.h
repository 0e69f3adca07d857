/* Which pages of a process can be touched without waiting for anybody. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H

#include "held.h"
#include "maps.h"

/* How many leading bytes of a range lie in such pages: the process has them in memory of its own,
 * and nobody is asked before they are written. Of any other page it is not known. */
size_t linux_present_bytes(linux_target *process, uint64_t address, size_t size);

/* Is the region memory and no file, shared memory included? Its absent pages are filled by the
 * kernel, or by a handler of userfaultfd(2). */
bool linux_present_in_memory(linux_target *process, const linux_region *region);

/* Pages of such a region have just been moved: they are present, though they may be a file's. */
void linux_present_learn(linux_target *process, uint64_t address, size_t size);

#endif
