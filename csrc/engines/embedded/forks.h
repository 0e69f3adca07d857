/* Forked children know themselves: what a parent holds is not theirs. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_FORKS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_FORKS_H

#include <stdint.h>

/* From now on forks are counted; once a process is enough. */
void forks_watch(void);

/* By how many forks, seen since then, this process came about. Costs no system call. */
int32_t forks_seen(void);

#endif
