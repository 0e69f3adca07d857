/* The baseline: the system call that moves the bytes, made from C with nothing around it.
 *
 * The functions time themselves, so that no caller's overhead is counted. They return nanoseconds
 * for the whole of their calls, or minus the errno of one that failed or came out short.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

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
