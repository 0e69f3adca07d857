/* Transfers that may sleep in the kernel without limit, made by a thread that can be left behind.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_WORKER_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As much as one transfer moves. */
#define LINUX_WORKER_BYTES ((size_t)256 * 1024)

typedef struct linux_worker linux_worker;

typedef struct linux_errand {
    pid_t process; /* one of its threads that has the memory */
    int memory;    /* /proc/PID/mem; -1: by process_vm_readv and process_vm_writev */
    bool writing;
    uint64_t address;
    size_t size; /* up to LINUX_WORKER_BYTES */
    uint32_t page_size;
} linux_errand;

/* Moves bytes between `data` and the process, and asks goes_on() every 50 ms whether to wait on.
 * Gives how many were moved, or -errno. Where it is not to wait on: -EINTR if nothing was moved and
 * nothing will be; -EINPROGRESS if a write may still land: errand->memory is then the worker's, and
 * a number that is given anew can't be written to. *self is made when it is needed. */
ssize_t linux_worker_move(linux_worker **self, const linux_errand *errand, unsigned char *data,
                          bool (*goes_on)(void));

/* Ends it and its thread, which is idle; it may be NULL. */
void linux_worker_free(linux_worker *self);

#endif
