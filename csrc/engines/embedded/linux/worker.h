/* Transfers that may sleep in the kernel without limit, made by a thread that can be abandoned. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_WORKER_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../../com/pointer_scatter.h"

/* The most bytes, and the most ranges, that one errand moves. */
#define LINUX_WORKER_BYTES  ((size_t)256 * 1024)
#define LINUX_WORKER_RANGES ((size_t)1024) /* UIO_MAXIOV, include/uapi/linux/uio.h */

typedef struct linux_worker linux_worker;

typedef struct linux_errand {
    pid_t process; /* one of its threads that has the memory */
    int memory;    /* /proc/PID/mem; -1: by process_vm_readv and process_vm_writev */
    bool writing;
    uint32_t page_size;
    const pointer_range *ranges;
    size_t count;
} linux_errand;

/* Moves the ranges in order, and calls goes_on() every 50 ms to check whether to keep waiting.
 * Returns how many bytes were moved, or -errno. If it must not keep waiting: -EINTR if nothing was
 * moved and nothing will be; -EINPROGRESS if a write may still take effect. The worker then owns
 * errand->memory, so that a late write can't go to a reused descriptor number. *self is created
 * when it is needed. */
ssize_t linux_worker_move(linux_worker **self, const linux_errand *errand, bool (*goes_on)(void));

/* Ends the worker and its idle thread, and frees it; it may be NULL. */
void linux_worker_free(linux_worker *self);

#endif
