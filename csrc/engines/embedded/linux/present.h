/* Which pages of a process can be touched without waiting for anybody. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H

#include "held.h"

/* How many leading bytes of a range lie in such pages: the process has them in memory of its own,
 * and nobody is asked before they are written. Of any other page it is not known. */
size_t linux_present_bytes(linux_target *process, uint64_t address, size_t size);

#endif
