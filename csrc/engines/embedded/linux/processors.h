/* Which processors of this machine a large transfer can use. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESSORS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESSORS_H

#include "held.h"

/* Processors that this thread may use, the one it is on included. */
int linux_processors_usable(void);

/* Those of the system that have nothing to do now: a helper that has to share one makes the caller
 * wait for it. */
int linux_processors_idle(linux_target *process);

#endif
