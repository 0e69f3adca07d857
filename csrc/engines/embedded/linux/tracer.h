/* The tracer: one thread of execution that does all ptrace and all waiting for a stopped process.
 *
 * It runs `apart`, as a process that shares this one's memory and descriptors (clone with CLONE_VM
 * and without CLONE_THREAD), so that ptrace stops are reported only to it. A tracer that is a
 * thread of the target's parent can't ensure that: the kernel reports a tracee's stop to any thread
 * of the group that waits (kernel/exit.c, wait_consider_task and ptrace_do_wait), and a
 * Popen.wait() in another thread would treat it as the end of the process. If the kernel allows
 * only an ancestor to trace (yama.ptrace_scope=1) or refuses the clone, the tracer runs as such a
 * thread.
 *
 * It neither allocates nor takes a lock: if it alone were killed, nothing would stay locked. When
 * it ends, for any reason, the kernel releases every traced thread (exit_ptrace).
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_TRACER_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tracing.h"

typedef struct linux_tracer_task {
    int32_t process;                    /* to attach to, */
    int folder;                         /* and its folder (process.h); -1: none */
    const linux_launch_options *launch; /* or to start; NULL: attach */
    const linux_waiting *waiting;
} linux_tracer_task;

/* Stops all threads of a process, or starts a program and stops it at exec. NULL and *error if that
 * failed: all threads are released again, and a launched child is reaped. */
linux_tracer *linux_tracer_start(const linux_tracer_task *task, linux_open_error *error);

/* pwrite(2) on /proc/PID/mem by the tracer, for kernels that force a write only for the ptracer;
 * PTRACE_POKEDATA if `memory` is -1. Returns the bytes written, or -errno. One call at a time. */
ssize_t linux_tracer_force(linux_tracer *self, int memory, uint64_t address, const void *data,
                           size_t size);

/* Releases all threads and ends the tracer; may be called again. On return no thread is traced. */
void linux_tracer_end(linux_tracer *self);

/* Ends the tracer if it has not ended, and frees it. */
void linux_tracer_free(linux_tracer *self);

/* For tests and measurements: from now on tracers run as threads. */
void linux_tracer_never_apart(bool never);

#endif
