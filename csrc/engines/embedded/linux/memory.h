/* A live Linux process as the embedded engine holds it, and access to its memory. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MEMORY_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MEMORY_H

#include <pthread.h>

#include "../../../base/atomics.h"
#include "tracer.h"
#include "target_linux.h"

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

/* The members of embedded_target_operations; see target.h. */
HRESULT linux_memory_accessible(embedded_target *self);
HRESULT linux_memory_read(embedded_target *self, uint64_t address, void *data, size_t size,
                          size_t *moved);
HRESULT linux_memory_write(embedded_target *self, uint64_t address, const void *data, size_t size,
                           size_t *moved);
size_t linux_memory_write_narrow(embedded_target *self, uint64_t address, const void *pointers,
                                 size_t count, bool check);
size_t linux_memory_count_equal(embedded_target *self, uint64_t address, const void *data,
                                size_t size);
HRESULT linux_memory_query(embedded_target *self, uint64_t address,
                           MEMORY_BASIC_INFORMATION64 *info);

#endif
