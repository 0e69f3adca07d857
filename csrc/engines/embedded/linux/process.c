/* Facts about a Linux process from /proc and pidfd: identity, state, threads (no memory map). */
#define _GNU_SOURCE 1
#include "process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "newer_calls.h"

/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000u

void linux_close(int *file)
{
    if (*file >= 0) {
        close(*file);
        *file = -1;
    }
}

int linux_proc_is_own(int32_t *shown, bool *own)
{
    FILE *file = fopen("/proc/self/status", "re");
    int failure = file == NULL && errno != ENOENT && errno != ESRCH ? errno : 0;
    char *line = NULL;
    size_t capacity = 0;
    int outer, inner, namespaces = 1;

    *shown = 0;
    while (file != NULL && getline(&line, &capacity, file) > 0) {
        if (strncmp(line, "Pid:", 4) == 0) {
            *shown = (int32_t)strtol(line + 4, NULL, 10);
        } else if (strncmp(line, "NSpid:", 6) == 0) {
            /* The ids go from the namespace of the /proc mount to the namespace of this process. */
            namespaces = sscanf(line + 6, "%d %d", &outer, &inner);
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    *own = *shown == getpid() && namespaces == 1;
    return failure;
}

int linux_process_folder(int32_t process)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d", (int)process);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int linux_process_open(int folder, int32_t thread, const char *name, int flags)
{
    char path[64];

    if (thread == 0) {
        return openat(folder, name, flags | O_CLOEXEC);
    }
    snprintf(path, sizeof path, "task/%d/%s", (int)thread, name);
    return openat(folder, path, flags | O_CLOEXEC);
}

/* Reads a file in one call, since the kernel creates these small files in one piece. Returns the
 * length, or -1 and errno. */
static ssize_t read_file(int folder, int32_t thread, const char *name, void *data, size_t capacity)
{
    int file = linux_process_open(folder, thread, name, O_RDONLY);
    int failure;
    ssize_t length;

    if (file < 0) {
        return -1;
    }
    do {
        length = read(file, data, capacity);
    } while (length < 0 && errno == EINTR);
    failure = errno;
    close(file);
    errno = failure;
    return length;
}

/* Parses the text of proc_pid_stat(5); EPROTO if it has another form. */
static int parse_stat(const char *text, linux_stat *stat)
{
    /* Field 2, the name, may hold blanks and parentheses: it ends at the last one. */
    const char *field = strrchr(text, ')');
    int number;

    if (field == NULL || field[1] != ' ') {
        return EPROTO;
    }
    stat->id = (int32_t)strtol(text, NULL, 10);
    field += 2;
    stat->state = *field;
    for (number = 3; number <= 20; number++) {
        if (*field == '\0') {
            return EPROTO;
        }
        if (number == 9) {
            stat->kernel_thread = (strtoul(field, NULL, 10) & PF_KTHREAD) != 0;
        } else if (number == 20) {
            stat->threads = (int32_t)strtol(field, NULL, 10);
        }
        field += strcspn(field, " ");
        field += strspn(field, " ");
    }
    return 0;
}

int linux_process_stat(int folder, int32_t thread, linux_stat *stat)
{
    char text[1024];
    ssize_t length = read_file(folder, thread, "stat", text, sizeof text - 1);

    if (length < 0) {
        return errno;
    }
    text[length] = '\0';
    return parse_stat(text, stat);
}

bool linux_process_ended(int folder)
{
    linux_stat stat;
    int failure = linux_process_stat(folder, 0, &stat);

    return failure == ESRCH || failure == ENOENT ||
           (failure == 0 && linux_stat_ended(&stat) && stat.threads == 1);
}

int32_t linux_process_of_thread(int folder)
{
    char text[1024];
    ssize_t length = read_file(folder, 0, "status", text, sizeof text - 1);
    const char *line;

    text[length > 0 ? length : 0] = '\0';
    /* The name, on the first line, has its newlines escaped: no other line can be faked. */
    line = strstr(text, "\nTgid:");
    return line == NULL ? 0 : (int32_t)strtol(line + strlen("\nTgid:"), NULL, 10);
}

typedef struct thread_search {
    int folder;
    int32_t found;
} thread_search;

static bool is_dead(void *context, int32_t thread)
{
    thread_search *search = context;
    linux_stat stat;

    if (linux_process_stat(search->folder, thread, &stat) == 0 && !linux_stat_ended(&stat)) {
        search->found = thread;
    }
    return search->found == 0;
}

int32_t linux_process_living_thread(int folder)
{
    thread_search search = {.folder = folder};
    linux_stat stat;
    int directory;

    if (linux_process_stat(folder, 0, &stat) == 0 && !linux_stat_ended(&stat)) {
        return stat.id;
    }
    directory = linux_process_open(folder, 0, "task", O_RDONLY | O_DIRECTORY);
    if (directory >= 0) {
        (void)linux_process_threads(directory, is_dead, &search);
        close(directory);
    }
    return search.found;
}

/* The same from the program's file: AT_PHENT depends on its EI_CLASS (elf(5)). */
static int pointer_size_by_file(int folder, int32_t thread, uint32_t *size)
{
    unsigned char identity[EI_NIDENT];

    if (read_file(folder, thread, "exe", identity, sizeof identity) != sizeof identity ||
        memcmp(identity, ELFMAG, SELFMAG) != 0) {
        return EACCES;
    }
    *size = identity[EI_CLASS] == ELFCLASS64 ? 8 : 4;
    return 0;
}

int linux_process_vector(int folder, int32_t thread, linux_vector *vector)
{
    ssize_t length = read_file(folder, thread, "auxv", vector->words, sizeof vector->words);
    int failure = 0;

    vector->length = length > 0 ? (size_t)length : 0;
    if (length == 0) {
        failure = ESRCH;
    } else if (length < 0 && errno != EACCES && errno != EPERM) {
        failure = errno;
    }
    return failure;
}

/* Finds AT_PHENT, the size of a program header: 32 bytes in a 32-bit program, 56 in a 64-bit one
 * (elf(5)). */
int linux_process_pointer_size(int folder, int32_t thread, const linux_vector *vector,
                               uint32_t *size)
{
    const uint64_t *wide = vector->words;
    uint32_t narrow[2];
    size_t at;

    if (vector->length == 0) {
        return pointer_size_by_file(folder, thread, size);
    }
    for (at = 0; at + 1 < vector->length / sizeof *wide; at += 2) {
        if (wide[at] == AT_PHENT && wide[at + 1] == 56) {
            *size = 8;
            return 0;
        }
    }
    for (at = 0; at + sizeof narrow <= vector->length; at += sizeof narrow) {
        memcpy(narrow, (const unsigned char *)wide + at, sizeof narrow);
        if (narrow[0] == AT_PHENT && narrow[1] == 32) {
            *size = 4;
            return 0;
        }
    }
    return ENOEXEC;
}

int linux_pidfd_open(int32_t id, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)id, flags);
}

int linux_pidfd_ended(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int ready = poll(&end, 1, 0);

    return ready < 0 ? -1 : ready > 0 && (end.revents & (POLLIN | POLLHUP)) != 0;
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

/* Each record: inode (8 bytes), offset (8), length (2), type (1), name. `more` is false if the
 * visitor stops. */
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

/* Calls getdents64(2) directly: opendir() would allocate, and a lock of the allocator could stay
 * held if the tracer were killed. */
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
