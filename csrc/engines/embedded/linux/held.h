/* A live Linux process as the embedded engine holds it. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELD_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELD_H

#include <pthread.h>
#include <sys/types.h>

#include "../../../base/atomics.h"
#include "../target.h"
#include "tracing.h"
#include "worker.h"

typedef enum linux_sharing {
    LINUX_SHARING_UNKNOWN,
    LINUX_SHARING_NONE,
    LINUX_SHARING_FOUND /* another process uses the same memory, or may do so */
} linux_sharing;

/* What is known of the pages of a block; see present.h. */
#define LINUX_PRESENT_PAGES  64  /* a bit each */
#define LINUX_PRESENT_BLOCKS 256 /* whose answers are kept: 64 MiB of pages of 4 KiB */

typedef struct linux_present_block {
    uint64_t block;
    uint64_t pages; /* those that are present */
} linux_present_block;

typedef struct linux_target {
    embedded_target base;
    linux_tracer *tracer; /* NULL: the process runs */
    int folder; /* /proc/PID: with it the process is pinned, and all of /proc read by way of it */
    int pidfd;  /* -1 where the kernel, or a sandbox, has none */
    int32_t thread; /* one that has the process's memory: the first one, unless that has ended */
    int memory;     /* /proc/PID/mem; with `maps` bound to the memory the process had when attached.
                     * -1: it may be read and written by process_vm_* and ptrace alone */
    int maps;
    int pagemap; /* the same; -1 where the kernel does not show it */
    bool writable;
    bool launched; /* our child: nobody else reaps it */
    pid_t creator;
    int32_t forks; /* forks_seen() there */
    atomic_i32 let_go;
    atomic_i32 abandoned;     /* a write may still land: nothing more is done with this process */
    linux_worker *worker;     /* NULL before it is needed */
    atomic_i32 calls_refused; /* process_vm_* answered EPERM or ENOSYS: use the descriptor */
    atomic_i32 force_refused; /* see linux_memory_force_refused() */
    int load; /* /proc/loadavg, and the system's processors: -1 and 0 before they are needed */
    long processors;
    unsigned char *room; /* parallel.c's: fresh memory for each call would cost as much time
                          * as a quarter of the work */
    size_t room_size;
    uint64_t shared_memory[2]; /* devices: see linux_present_in_memory(); 0 where there is none */
    unsigned page_shift;       /* of the page size, a power of two */
    linux_present_block present[LINUX_PRESENT_BLOCKS];
    atomic_i32 sharing;   /* linux_sharing: found out when it is needed first */
    pthread_mutex_t lock; /* of detach, terminate and forced writes by the tracer */
} linux_target;

/* Has it ended, with all its threads? */
bool linux_held_ended(const linux_target *process);

/* Can its memory not be reached any more: has it ended, or been let go? True in a forked child,
 * which holds nothing of its parent's. Free of system calls for a stopped process. */
bool linux_held_lost(const linux_target *process);

/* Sends it a signal. 0 or an errno. */
int linux_held_signal(const linux_target *process, int number);

/* A new descriptor of /proc/PID, or with `of_memory` of a folder of the same kind, that of a thread
 * which has the process's memory: where the first thread has ended, some of /proc/PID is empty.
 * E_UNEXPECTED when the process has gone, HR_GEN_FAILURE for another reason, which is in errno. */
HRESULT linux_open_folder(embedded_target *self, bool of_memory, int *folder);

#endif
