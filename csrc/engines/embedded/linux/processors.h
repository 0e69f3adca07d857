/* Counts the processors of this machine that a large transfer can use. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESSORS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESSORS_H

#include "held.h"

/* Returns the number of processors that this thread may use, its current one included. */
int linux_processors_usable(void);

/* Returns the number of the system's processors that are idle now: the caller would wait for a
 * helper that has to share a processor. */
int linux_processors_idle(linux_target *process);

#endif
