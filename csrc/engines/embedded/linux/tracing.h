/* The state shared by a tracer and its owner. See tracer.h. */
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

/* The pipes between a tracer and the child that it launches; -1: closed. */
typedef struct linux_launch_pipes {
    int go[2];  /* the tracer closes it (give up) or writes to it (go) */
    int bad[2]; /* written by the child: reports; closed by its exec */
} linux_launch_pipes;

typedef struct linux_tracer {
    /* Read by every thread. Set as soon as the tracer sees that a traced thread is dead, before it
     * reaps any, and also if the tracer ended without a request. */
    atomic_i32 gone;

    /* The channel. Owner to tracer: `wake`; tracer to owner: `answered` (both eventfd(2)). */
    int wake;
    int answered;
    atomic_i32 phase;   /* linux_tracer_phase */
    atomic_i32 request; /* linux_tracer_request; the tracer resets it to none */
    atomic_i32 cancelled;
    atomic_i32 beat;        /* changes with each round of an opening: see await_opening() */
    atomic_i32 apart_pidfd; /* of the separate process, or -1; open until the tracer is freed */
    int force_descriptor;
    uint64_t force_address;
    const void *force_data;
    size_t force_size;
    ssize_t force_result; /* bytes, or -errno */

    /* Used by the owner. */
    pthread_t host;
    pid_t creator;      /* the process that started it: a forked child has no tracer */
    int32_t host_id;    /* thread id of the host */
    atomic_i32 joining; /* a thread has begun to end it */

    /* Used by the tracer, until its phase is `ended`. */
    bool apart;
    int32_t process;
    int folder;    /* of the process (process.h), owned by the owner; -1: launch */
    int32_t child; /* launch: the child, also if it failed later: the owner reaps it */
    const linux_launch_options *launch; /* NULL: attach */
    uint64_t deadline;                  /* a time of linux_now(); UINT64_MAX: none */
    linux_open_error error;
    bool opened;   /* it has held the process */
    int directory; /* its own descriptors: the owner closes them if it is killed */
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

/* True if the process is dead or dying, or is no longer held. One atomic load. */
static inline bool linux_tracer_gone(const linux_tracer *self)
{
    return atomic_i32_load(&self->gone) != 0;
}

/* Fills error and returns false, as the result of a failing step. */
bool linux_tracer_fail(linux_tracer *self, linux_open_failure failure, const char *operation,
                       int os_error, int64_t detail);

/* The events of the channel, in both directions (eventfd(2)): signal an event; clear it. */
void linux_event_ring(int event);
void linux_event_hush(int event);

#endif
