/* What a tracer and its owner share. See tracer.h. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_TRACING_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_TRACING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "../../../base/atomics.h"
#include "opening.h"

/* include/uapi/linux/wait.h; not every libc has it. */
#ifndef __WALL
#define __WALL 0x40000000
#endif

typedef struct linux_traced {
    int32_t id;
    bool stopped;
} linux_traced;

/* What a tracer and the child that it launches tell each other; -1: closed. */
typedef struct linux_launch_pipes {
    int go[2];  /* closed or written by the tracer: give up, or go */
    int bad[2]; /* written by the child: reports; closed by its exec */
} linux_launch_pipes;

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
    int folder;    /* of the process (process.h), the owner's; -1: launch */
    int32_t child; /* launch: the child, also when it failed later: the owner reaps it */
    const linux_launch_options *launch; /* NULL: attach */
    uint64_t deadline;                  /* linux_now() then; UINT64_MAX: none */
    linux_open_error error;
    bool opened;   /* it has held the process */
    int directory; /* descriptors that are its own, here so that they are closed if it is killed */
    int watch;
    linux_launch_pipes pipes;
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

/* True when the process is dead or dying, or nobody holds it any more. One atomic load. */
static inline bool linux_tracer_gone(const linux_tracer *self)
{
    return atomic_i32_load(&self->gone) != 0;
}

/* Fills error and gives false, for the result of a failing step. */
bool linux_tracer_fail(linux_tracer *self, linux_open_failure failure, const char *operation,
                       int os_error, int64_t detail);

/* The bells of the channel, both ways (eventfd(2)): add to one; take what was added. */
void linux_event_ring(int event);
void linux_event_hush(int event);

#endif
