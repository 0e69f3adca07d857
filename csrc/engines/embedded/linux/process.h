/* Facts about a Linux process, from /proc and pidfd: identity, state, threads.
 *
 * Nothing here allocates or keeps state, so the tracer may call all of it. Functions that can fail
 * give 0 or an errno.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* pidfd_open(2): the descriptor is for one thread and tells its end (Linux 6.9). */
#define LINUX_PIDFD_THREAD 0200u /* O_EXCL */

typedef struct linux_stat {
    char state;          /* R, S, D, T, t, Z, X ... */
    bool kernel_thread;  /* PF_KTHREAD */
    int32_t threads;     /* alive or not yet reaped */
    uint64_t start_time; /* in clock ticks since boot: with the pid, an identity */
} linux_stat;

/* /proc/PID/task/TID/stat (proc_pid_stat(5)); with thread == 0, /proc/PID/stat. */
int linux_process_stat(int32_t process, int32_t thread, linux_stat *stat);

/* The process of a thread id (Tgid in proc_pid_status(5)), or 0. */
int32_t linux_process_of_thread(int32_t thread);

/* 4 or 8, from the ELF class of /proc/PID/exe. */
int linux_process_pointer_size(int32_t process, uint32_t *size);

/* Opens /proc/PID/NAME close-on-exec; the descriptor, or -1 and errno. */
int linux_process_open(int32_t process, const char *name, int flags);

/* Closes a descriptor that is open, and notes it by -1. */
void linux_close(int *file);

/* pidfd_open(2); the descriptor (always close-on-exec), or -1 and errno. */
int linux_pidfd_open(int32_t id, unsigned flags);

/* True once the process behind a pidfd has ended (for a thread's pidfd: the thread). */
bool linux_pidfd_ended(int pidfd);

/* pidfd_send_signal(2). */
int linux_pidfd_signal(int pidfd, int number);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t linux_now(void);

/* Calls visit(context, tid) for each thread of the process; stops at the first that gives false.
 * `directory` is a descriptor of /proc/PID/task. */
int linux_process_threads(int directory, bool (*visit)(void *context, int32_t thread),
                          void *context);

#endif
