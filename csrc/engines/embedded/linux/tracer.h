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

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../../base/atomics.h"
#include "target_linux.h"

typedef struct linux_traced {
    int32_t id;
    bool stopped;
} linux_traced;

typedef struct linux_tracer {
    /* Read by everybody. Set as soon as the tracer sees any traced thread dead, before it reaps
     * anything, and also when the tracer ended unasked. */
    atomic_i32 gone;

    /* The channel. Owner to tracer: `wake`; tracer to owner: `answered` (both eventfd(2)). */
    int wake;
    int answered;
    atomic_i32 phase;   /* linux_tracer_phase */
    atomic_i32 request; /* linux_tracer_request; the tracer sets it back to none */
    atomic_i32 cancelled;
    atomic_i32 beat;        /* changes while an opening makes its rounds: see await_opening() */
    atomic_i32 apart_pidfd; /* of the process apart, or -1; open until the end of all this */
    int force_descriptor;
    uint64_t force_address;
    const void *force_data;
    size_t force_size;
    ssize_t force_result; /* bytes, or -errno */

    /* The owner's. */
    pthread_t host;
    pid_t creator;      /* the process that started it: in a forked child there is no tracer */
    int32_t host_id;    /* thread id of the host */
    atomic_i32 joining; /* somebody has begun to end it */

    /* The tracer's, until its phase is `ended`. */
    bool apart;
    int32_t process;
    int32_t child; /* launch: the child, also when it failed later: the owner reaps it */
    const linux_launch_options *launch; /* NULL: attach */
    uint64_t deadline;                  /* linux_now() then; UINT64_MAX: none */
    linux_open_error error;
    int directory; /* descriptors that are its own, here so that they are closed if it is killed */
    int watch;
    linux_traced *threads; /* ascending by id */
    size_t count;
    size_t capacity;
} linux_tracer;

typedef enum linux_tracer_phase {
    LINUX_TRACER_STARTING,
    LINUX_TRACER_HOLDING,
    LINUX_TRACER_ENDED
} linux_tracer_phase;

typedef enum linux_tracer_request {
    LINUX_TRACER_NOTHING,
    LINUX_TRACER_LET_GO,
    LINUX_TRACER_FORCE
} linux_tracer_request;

/* Stops all threads of `process`, or with `launch` starts a program and stops it at exec.
 * NULL and *error when that failed: everything is let go again, a launched child is reaped. */
linux_tracer *linux_tracer_start(int32_t process, const linux_launch_options *launch,
                                 const linux_waiting *waiting, linux_open_error *error);

/* True when the process is dead or dying, or nobody holds it any more. One atomic load. */
static inline bool linux_tracer_gone(const linux_tracer *self)
{
    return atomic_i32_load(&self->gone) != 0;
}

/* pwrite(2) on /proc/PID/mem by the tracer, for kernels that force a write for the ptracer alone.
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
