/* The tracer's operations on threads: stops all threads of a process, and releases them.
 *
 * All of it runs in the tracer, which is the only caller.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_STOP_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_STOP_H

#include "tracing.h"

typedef enum linux_wait {
    LINUX_WAIT_NOTHING,
    LINUX_WAIT_STOPPED, /* status: the signal, and the ptrace event << 8 */
    LINUX_WAIT_ENDED    /* dead and, unless it is the leader, reaped; or no longer traced */
} linux_wait;

/* True if the thread has died. Reaps nothing. */
bool linux_stop_died(int32_t thread);

/* Checks, without blocking, the state of one traced thread. */
linux_wait linux_stop_wait(const linux_tracer *self, int32_t thread, int *status);

/* Sleeps for a short time that grows with each turn. False if the opening was cancelled or has
 * timed out; then error is set, with `thread` as the one that did not stop. */
bool linux_stop_pause(linux_tracer *self, unsigned *turn, int32_t thread);

/* Seizes and stops every thread of self->process. */
bool linux_stop_all(linux_tracer *self);

/* Adds a thread to the table; false if memory is short. */
bool linux_stop_add(linux_tracer *self, int32_t thread, bool stopped);

/* Detaches every stopped thread; the kernel releases the rest when the tracer ends. */
void linux_stop_let_go(linux_tracer *self);

#endif
