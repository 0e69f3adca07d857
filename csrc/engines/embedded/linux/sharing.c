/* Checks whether a process outside a stopped one shares its memory.
 *
 * kcmp(2) compares the memory (mm_struct) of two processes. It needs the right to trace both;
 * without it, a process with the same number of pages as the stopped one (statm, readable for all)
 * counts as sharing its memory. Two unrelated processes may have the same number; then only speed
 * is lost. Processes that /proc does not show (hidepid, an outer pid namespace) are not seen.
 */
#define _GNU_SOURCE 1
#include "sharing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "process.h"

/* include/uapi/linux/kcmp.h */
#define COMPARE_MEMORY 1

/* Returns the number of pages mapped by a process; 0: it has ended, or has no memory. */
static unsigned long long mapped_pages(int32_t process)
{
    char text[64] = "";
    ssize_t got = 0;
    int file;

    snprintf(text, sizeof text, "/proc/%d/statm", (int)process);
    file = open(text, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        got = read(file, text, sizeof text - 1);
        close(file);
    }
    text[got > 0 ? got : 0] = '\0';
    return strtoull(text, NULL, 10);
}

static bool same_memory(int32_t process, int32_t other)
{
    bool same = false;

#if defined(SYS_kcmp)
    long answer = syscall(SYS_kcmp, (pid_t)process, (pid_t)other, COMPARE_MEMORY, 0UL, 0UL);
#else
    long answer = -1;

    errno = ENOSYS;
#endif
    if (answer == 0) {
        same = true;
    } else if (answer < 0 && errno != ESRCH) {
        unsigned long long pages = mapped_pages(other);

        same = pages != 0 && pages == mapped_pages(process);
    }
    return same;
}

bool linux_sharing_found(int32_t process)
{
    DIR *processes = opendir("/proc");
    bool shared = processes == NULL;
    struct dirent *entry;

    while (!shared && (entry = readdir(processes)) != NULL) {
        char *end;
        long other = strtol(entry->d_name, &end, 10);

        if (*end == '\0' && other > 0 && other != process) {
            shared = same_memory(process, (int32_t)other);
        }
    }
    if (processes != NULL) {
        closedir(processes);
    }
    return shared;
}

bool linux_sharing_alone(linux_target *process)
{
    /* One check for each session: the stopped process creates no other process that could share its
     * memory. */
    if (atomic_i32_load(&process->sharing) == LINUX_SHARING_UNKNOWN) {
        atomic_i32_store(&process->sharing, linux_sharing_found(process->thread)
                                                ? LINUX_SHARING_FOUND
                                                : LINUX_SHARING_NONE);
    }
    return atomic_i32_load(&process->sharing) == LINUX_SHARING_NONE;
}

/* Reads a number of this process at the same address of the other process: through the descriptor
 * of its memory if there is one. True if the numbers are equal. */
static bool read_mark(int32_t thread, int memory, volatile uint64_t *mark)
{
    uint64_t seen = 0;
    struct iovec local = {&seen, sizeof seen}, remote = {(void *)(uintptr_t)mark, sizeof seen};
    ssize_t got = memory >= 0 ? pread(memory, &seen, sizeof seen, (off_t)(uintptr_t)mark)
                              : process_vm_readv((pid_t)thread, &local, 1, &remote, 1, 0);

    return got == sizeof seen && seen == *mark;
}

bool linux_sharing_ours(const linux_target *process)
{
    volatile uint64_t mark = linux_now();
    int memory = linux_process_open(process->folder, process->thread, "mem", O_RDONLY);
    bool shared = read_mark(process->thread, memory, &mark);

    mark = ~mark; /* a forked child also has the previous value */
    shared = shared && read_mark(process->thread, memory, &mark);
    linux_close(&memory);
    return shared;
}
