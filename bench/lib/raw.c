/* The baseline: the system call that moves the bytes, made from C with nothing around it.
 *
 * The functions time themselves, so that no caller's overhead is counted. They return nanoseconds
 * for the whole of their calls, or minus the errno of one that failed or came out short.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "../../csrc/core/search/words.h"

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Writes `size` bytes to the same address `calls` times. */
int64_t raw_write(int32_t pid, uint64_t address, const void *data, size_t size, int32_t calls)
{
    /* struct iovec serves both directions and so has no const; nothing is changed. */
    struct iovec local = {(void *)(uintptr_t)data, size};
    struct iovec remote = {(void *)(uintptr_t)address, size};
    int64_t started = now_ns();

    for (int32_t i = 0; i < calls; i++) {
        ssize_t moved = process_vm_writev((pid_t)pid, &local, 1, &remote, 1, 0);

        if (moved != (ssize_t)size) {
            return moved < 0 ? -(int64_t)errno : -(int64_t)EIO;
        }
    }
    return now_ns() - started;
}

/* Writes values[i] to addresses[i], one a call. */
int64_t raw_write_each(int32_t pid, const uint64_t *addresses, const uint64_t *values, size_t count)
{
    int64_t started = now_ns();

    for (size_t i = 0; i < count; i++) {
        struct iovec local = {(void *)(uintptr_t)(values + i), 8};
        struct iovec remote = {(void *)(uintptr_t)addresses[i], 8};
        ssize_t moved = process_vm_writev((pid_t)pid, &local, 1, &remote, 1, 0);

        if (moved != 8) {
            return moved < 0 ? -(int64_t)errno : -(int64_t)EIO;
        }
    }
    return now_ns() - started;
}

#define RANGES 1024 /* as many as one call takes (UIO_MAXIOV) */

/* Writes values[i] to addresses[i], `count` of them, RANGES a call, in the order given. */
int64_t raw_write_scattered(int32_t pid, const uint64_t *addresses, const uint64_t *values,
                            size_t count)
{
    struct iovec remote[RANGES];
    int64_t started = now_ns();

    for (size_t done = 0; done < count;) {
        size_t run = count - done < RANGES ? count - done : RANGES;
        struct iovec local = {(void *)(uintptr_t)(values + done), run * 8};
        ssize_t moved;

        for (size_t i = 0; i < run; i++) {
            remote[i].iov_base = (void *)(uintptr_t)addresses[done + i];
            remote[i].iov_len = 8;
        }
        moved = process_vm_writev((pid_t)pid, &local, 1, remote, run, 0);
        if (moved != (ssize_t)(run * 8)) {
            return moved < 0 ? -(int64_t)errno : -(int64_t)EIO;
        }
        done += run;
    }
    return now_ns() - started;
}

/* Threads that read a range in blocks, each into memory of its own. */
typedef struct reading {
    pid_t pid;
    uint64_t address;
    size_t size;
    size_t block;
    _Atomic size_t taken; /* blocks */
    _Atomic int failed;
} reading;

static void *read_blocks(void *argument)
{
    reading *self = argument;
    void *data = malloc(self->block);
    size_t start;

    while (data != NULL && (start = atomic_fetch_add(&self->taken, 1) * self->block) < self->size) {
        size_t left = self->size - start;
        struct iovec local = {data, left < self->block ? left : self->block};
        struct iovec remote = {(void *)(uintptr_t)(self->address + start), local.iov_len};

        if (process_vm_readv(self->pid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len) {
            atomic_store(&self->failed, 1);
        }
    }
    if (data == NULL) {
        atomic_store(&self->failed, 1);
    }
    free(data);
    return NULL;
}

#define MOST_THREADS 64

/* Reads `size` bytes in blocks, by this thread and `threads` - 1 others. */
int64_t raw_read_blocks(int32_t pid, uint64_t address, size_t size, size_t block, int32_t threads)
{
    reading work = {.pid = (pid_t)pid, .address = address, .size = size, .block = block};
    pthread_t others[MOST_THREADS];
    int64_t started = now_ns();
    int32_t count = 0;

    while (count < threads - 1 && count < MOST_THREADS &&
           pthread_create(&others[count], NULL, read_blocks, &work) == 0) {
        count++;
    }
    (void)read_blocks(&work);
    for (int32_t i = 0; i < count; i++) {
        pthread_join(others[i], NULL);
    }
    return atomic_load(&work.failed) != 0 ? -(int64_t)EIO : now_ns() - started;
}

/* Patches processes, one after the other: stops each, reads and writes `words` pointers that are
 * `stride` bytes apart, and lets it go. */
int64_t raw_patch_processes(const int32_t *pids, size_t count, uint64_t address, uint64_t stride,
                            size_t words)
{
    uint64_t data[64];
    struct iovec local = {data, words * 8}, remote[64];
    int64_t started = now_ns();

    for (size_t i = 0; i < words && i < 64; i++) {
        remote[i] = (struct iovec){(void *)(uintptr_t)(address + i * stride), 8};
    }
    for (size_t i = 0; i < count; i++) {
        pid_t pid = (pid_t)pids[i];

        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0 ||
            ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 || waitpid(pid, NULL, __WALL) != pid ||
            process_vm_readv(pid, &local, 1, remote, words, 0) != (ssize_t)local.iov_len ||
            process_vm_writev(pid, &local, 1, remote, words, 0) != (ssize_t)local.iov_len ||
            ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0) {
            return -(int64_t)EIO;
        }
    }
    return now_ns() - started;
}

/* Reads `size` bytes in blocks, and has the core's own comparison look for a value in each, by one
 * of the ways that this processor has: 0 is the portable one. Minus ENOSYS: there is no such way.
 */
int64_t raw_find_blocks(int32_t pid, uint64_t address, size_t size, size_t block, uint64_t value,
                        int32_t way, uint64_t *found)
{
    search_lanes ways[SEARCH_MOST_WAYS];
    search_words words = search_words_range(value, value, UINT64_MAX, 8, 8);
    size_t count = search_lanes_all(ways);
    unsigned char *data = malloc(block);
    int64_t started = now_ns(), result = 0;

    if (way < 0 || (size_t)way >= count || data == NULL) {
        free(data);
        return data == NULL ? -(int64_t)ENOMEM : -(int64_t)ENOSYS;
    }
    words.lanes = ways[way];
    *found = 0;
    for (size_t start = 0; start < size && result == 0; start += block) {
        size_t left = size - start;
        struct iovec local = {data, left < block ? left : block};
        struct iovec remote = {(void *)(uintptr_t)(address + start), local.iov_len};
        size_t at = 0;

        if (process_vm_readv((pid_t)pid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len) {
            result = -(int64_t)EIO;
        }
        while ((at = search_words_next(&words, data, local.iov_len, at)) < local.iov_len) {
            (*found)++;
            at += 8;
        }
    }
    free(data);
    return result != 0 ? result : now_ns() - started;
}
