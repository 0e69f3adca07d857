/* The tracer: one thread of execution that does all ptrace and all waiting for a stopped process.
 *
 * It runs `apart`, as a process that shares this one's memory and descriptors (clone with CLONE_VM
 * and without CLONE_THREAD), so that a ptrace stop is reported to nobody but itself. A tracer that
 * is a thread of the target's parent can't have that: the kernel gives a tracee's stop to any
 * thread of the group that waits (kernel/exit.c, wait_consider_task and ptrace_do_wait), and a
 * Popen.wait() in another thread would take it for the end of the process. Where the kernel allows
 * only an ancestor to trace (yama.ptrace_scope=1) or refuses the clone, it runs as that thread.
 *
 * It neither allocates nor takes a lock: were it killed alone, nothing would stay locked.
 * When it ends, for whatever reason, the kernel lets every traced thread go (exit_ptrace).
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

/* Stops all threads of a process, or starts a program and stops it at exec.
 * NULL and *error when that failed: everything is let go again, a launched child is reaped. */
linux_tracer *linux_tracer_start(const linux_tracer_task *task, linux_open_error *error);

/* pwrite(2) on /proc/PID/mem by the tracer, for kernels that force a write for the ptracer alone;
 * where `memory` is -1, PTRACE_POKEDATA.
 * Bytes, or -errno. One call at a time. */
ssize_t linux_tracer_force(linux_tracer *self, int memory, uint64_t address, const void *data,
                           size_t size);

/* Lets all threads go and ends the tracer; may be called again. On return nothing is traced. */
void linux_tracer_end(linux_tracer *self);

/* Ends it if need be, and frees. */
void linux_tracer_free(linux_tracer *self);

/* For tests and measurements: from now on tracers run as threads. */
void linux_tracer_never_apart(bool never);

#endif
