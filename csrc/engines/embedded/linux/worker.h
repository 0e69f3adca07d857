/* Transfers that may sleep in the kernel without limit, made by a thread that can be abandoned. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_WORKER_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The most bytes that one transfer moves. */
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

/* Moves bytes between `data` and the process, and calls goes_on() every 50 ms to check whether to
 * keep waiting. Returns how many were moved, or -errno. If it must not keep waiting: -EINTR if
 * nothing was moved and nothing will be; -EINPROGRESS if a write may still take effect. The worker
 * then owns errand->memory, so that a late write can't go to a reused descriptor number. *self is
 * created when it is needed. */
ssize_t linux_worker_move(linux_worker **self, const linux_errand *errand, unsigned char *data,
                          bool (*goes_on)(void));

/* Ends the worker and its idle thread, and frees it; it may be NULL. */
void linux_worker_free(linux_worker *self);

#endif
