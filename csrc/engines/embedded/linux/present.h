/* Determines which pages of a process can be accessed without a wait for another program. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PRESENT_H

#include "held.h"

/* Returns how many leading bytes of a range lie in such pages: they are present, and no other
 * program handles an access to them. Nothing is known of any other page. */
size_t linux_present_bytes(linux_target *process, bool writing, uint64_t address, size_t size);

/* Has earlier answers expire. */
void linux_present_forget(linux_target *process);

#endif
