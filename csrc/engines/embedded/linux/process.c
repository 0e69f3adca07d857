/* Facts about a Linux process from /proc and pidfd: identity, state, threads (no memory map). */
#define _GNU_SOURCE 1
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The same number on every architecture (asm-generic/unistd.h); older headers lack them. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000u

void linux_close(int *file)
{
    if (*file >= 0) {
        close(*file);
        *file = -1;
    }
}

/* One read: the kernel makes these small files in one piece. The text is NUL-terminated. */
static int read_small_file(const char *path, char *text, size_t capacity)
{
    int failure = 0;
    ssize_t length;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        failure = errno;
        goto done;
    }
    do {
        length = read(file, text, capacity - 1);
    } while (length < 0 && errno == EINTR);
    if (length < 0) {
        failure = errno;
    } else {
        text[length] = '\0';
    }
    close(file);
done:
    return failure;
}

/* The text of proc_pid_stat(5), or EPROTO. */
static int parse_stat(const char *text, linux_stat *stat)
{
    int failure = EPROTO;
    const char *field;
    char *end;
    int number;

    /* Field 2, the name, may hold blanks and parentheses: it ends at the last one. */
    field = strrchr(text, ')');
    if (field == NULL || field[1] != ' ') {
        goto done;
    }
    field += 2;
    stat->state = *field;
    for (number = 3; number <= 22; number++) {
        if (*field == '\0') {
            goto done;
        }
        if (number == 9) {
            stat->kernel_thread = (strtoul(field, NULL, 10) & PF_KTHREAD) != 0;
        } else if (number == 20) {
            stat->threads = (int32_t)strtol(field, NULL, 10);
        } else if (number == 22) {
            errno = 0;
            stat->start_time = strtoull(field, &end, 10);
            if (end == field || errno != 0) {
                goto done;
            }
        }
        field += strcspn(field, " ");
        field += strspn(field, " ");
    }
    failure = 0;
done:
    return failure;
}

int linux_process_stat(int32_t process, int32_t thread, linux_stat *stat)
{
    char path[64];
    char text[1024];
    int failure;

    if (thread == 0) {
        snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    } else {
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)process, (int)thread);
    }
    failure = read_small_file(path, text, sizeof text);
    return failure == 0 ? parse_stat(text, stat) : failure;
}

int32_t linux_process_of_thread(int32_t thread)
{
    char path[64];
    char text[1024];
    const char *line = NULL;

    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    if (read_small_file(path, text, sizeof text) == 0) {
        /* The name, on the first line, has its newlines escaped: no other line can be faked. */
        line = strstr(text, "\nTgid:");
    }
    return line == NULL ? 0 : (int32_t)strtol(line + strlen("\nTgid:"), NULL, 10);
}

int linux_process_open(int32_t process, const char *name, int flags)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, name);
    return open(path, flags | O_CLOEXEC);
}

int linux_process_pointer_size(int32_t process, uint32_t *size)
{
    unsigned char identity[5] = {0};
    int failure = 0;
    ssize_t length;
    int file = linux_process_open(process, "exe", O_RDONLY);

    if (file < 0) {
        failure = errno;
        goto done;
    }
    length = pread(file, identity, sizeof identity, 0);
    if (length < 0) {
        failure = errno;
    } else if (length != (ssize_t)sizeof identity || memcmp(identity, "\177ELF", 4) != 0) {
        failure = ENOEXEC;
    } else if (identity[4] == 1) { /* EI_CLASS: ELFCLASS32 (elf(5)) */
        *size = 4;
    } else if (identity[4] == 2) { /* ELFCLASS64 */
        *size = 8;
    } else {
        failure = ENOEXEC;
    }
    close(file);
done:
    return failure;
}

int linux_pidfd_open(int32_t id, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)id, flags);
}

bool linux_pidfd_ended(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};

    return poll(&end, 1, 0) > 0 && (end.revents & (POLLIN | POLLHUP)) != 0;
}

int linux_pidfd_signal(int pidfd, int number)
{
    return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0u) == 0 ? 0 : errno;
}

uint64_t linux_now(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Each record: inode (8 bytes), offset (8), length (2), type (1), name. `more` tells whether the
 * visitor wants to see the next one. */
static int visit_records(const char *records, long filled,
                         bool (*visit)(void *context, int32_t thread), void *context, bool *more)
{
    int failure = 0;
    uint16_t length;
    long at;
    long thread;

    for (at = 0; failure == 0 && *more && at < filled; at += length) {
        memcpy(&length, records + at + 16, sizeof length);
        if (length == 0) {
            failure = EPROTO;
        } else {
            thread = strtol(records + at + 19, NULL, 10); /* "." and "..": 0 */
            *more = thread <= 0 || visit(context, (int32_t)thread);
        }
    }
    return failure;
}

/* getdents64(2) itself: opendir() would allocate, and a lock of the allocator could stay held if
 * the tracer were killed. */
int linux_process_threads(int directory, bool (*visit)(void *context, int32_t thread),
                          void *context)
{
    _Alignas(8) char records[8192];
    int failure = lseek(directory, 0, SEEK_SET) < 0 ? errno : 0;
    bool more = true;
    long filled;

    while (failure == 0 && more) {
        filled = syscall(SYS_getdents64, directory, records, sizeof records);
        if (filled < 0) {
            failure = errno == ENOENT ? ESRCH : errno;
        } else if (filled == 0) {
            more = false;
        } else {
            failure = visit_records(records, filled, visit, context, &more);
        }
    }
    return failure;
}
