/* How long processes stand still: preloaded, its ptrace(2) takes the time from PTRACE_INTERRUPT
 * until PTRACE_DETACH has returned. It sees each caller that calls the C library's function. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define MOST_PROCESSES ((pid_t)1 << 22) /* PID_MAX_LIMIT, include/linux/threads.h */

static int64_t begun[MOST_PROCESSES];
static int64_t lasted[MOST_PROCESSES];

static int64_t now_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The time of the last stop of a process that was released, in nanoseconds; 0 if there was none. It
 * is forgotten. */
int64_t stops_take(int32_t process)
{
    int64_t found = lasted[process];

    lasted[process] = 0;
    return found;
}

/* In place of the C library's: a peek returns its word, as there (ptrace(2), "C library/kernel
 * differences"). */
long ptrace(enum __ptrace_request request, ...)
{
    va_list words;
    pid_t process;
    void *address, *data;
    long word = 0, result;
    int peeks =
        request == PTRACE_PEEKDATA || request == PTRACE_PEEKTEXT || request == PTRACE_PEEKUSER;

    va_start(words, request);
    process = va_arg(words, pid_t);
    address = va_arg(words, void *);
    data = va_arg(words, void *);
    va_end(words);
    if (request == PTRACE_INTERRUPT && begun[process] == 0) {
        begun[process] = now_ns();
    }
    result = syscall(SYS_ptrace, (long)request, (long)process, address, peeks ? &word : data);
    if (request == PTRACE_DETACH && result == 0) {
        lasted[process] = now_ns() - begun[process];
        begun[process] = 0;
    }
    if (peeks && result == 0) {
        errno = 0;
        result = word;
    }
    return result;
}
