/* Threads beside the caller's. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELPER_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELPER_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread that blocks all signals of this program. It is to be joined or detached. False:
 * there can't be another one. */
bool linux_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* The same on another processor than the caller's. */
bool linux_helper_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
