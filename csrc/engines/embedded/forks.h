/* Detects forks, so that a forked child does not use its parent's resources. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_FORKS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_FORKS_H

#include <stdint.h>

/* Starts counting forks; one call in a process is enough. */
void forks_watch(void);

/* Returns the number of forks, since forks_watch(), that led to this process. Makes no system call.
 */
int32_t forks_seen(void);

#endif
