/* What the tracer does to threads: stop all of a process, and let them go.
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

/* Has it died? Nothing is reaped. */
bool linux_stop_died(int32_t thread);

/* Asks, without blocking, what became of one traced thread. */
linux_wait linux_stop_wait(const linux_tracer *self, int32_t thread, int *status);

/* Sleeps a little, more from turn to turn. False when the opening was cancelled or its time is
 * over; then error is set, and names `thread` as the one that did not stop. */
bool linux_stop_pause(linux_tracer *self, unsigned *turn, int32_t thread);

/* Seizes and stops every thread of self->process. */
bool linux_stop_all(linux_tracer *self);

/* Adds a thread to the table; false when memory is short. */
bool linux_stop_add(linux_tracer *self, int32_t thread, bool stopped);

/* Detaches every thread that is stopped; the rest is let go by the kernel when the tracer ends. */
void linux_stop_let_go(linux_tracer *self);

#endif
