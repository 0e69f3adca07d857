/* A live Linux process as the embedded engine holds it. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELD_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELD_H

#include <pthread.h>
#include <sys/types.h>

#include "../../../base/atomics.h"
#include "../target.h"
#include "tracing.h"

typedef enum linux_sharing {
    LINUX_SHARING_UNKNOWN,
    LINUX_SHARING_NONE,
    LINUX_SHARING_FOUND /* another process uses the same memory, or may do so */
} linux_sharing;

typedef struct linux_target {
    embedded_target base;
    linux_tracer *tracer; /* NULL: the process runs */
    int pidfd;
    int memory; /* /proc/PID/mem; with `maps` bound to the memory the process had when attached */
    int maps;
    bool writable;
    bool launched; /* our child: nobody else reaps it */
    pid_t creator;
    atomic_i32 let_go;
    atomic_i32 calls_refused;     /* process_vm_* answered EPERM or ENOSYS: use the descriptor */
    atomic_i32 forcing_forbidden; /* see linux_forcing_forbidden() */
    int load; /* /proc/loadavg, and the system's processors: -1 and 0 before they are needed */
    long processors;
    unsigned char *room; /* parallel.c's: fresh memory for each call would cost as much time
                          * as a quarter of the work */
    size_t room_size;
    atomic_i32 sharing;   /* linux_sharing: found out when it is needed first */
    pthread_mutex_t lock; /* of detach, terminate and forced writes by the tracer */
} linux_target;

/* Can its memory not be reached any more: has it ended, or been let go? Free of system calls for a
 * stopped process. */
bool linux_held_lost(const linux_target *process);

#endif
