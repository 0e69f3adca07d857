/* Facts about a Linux process, from /proc and pidfd: identity, state, threads.
 *
 * A process is named by its folder: a descriptor of /proc/PID, which leads to that process alone,
 * and once it has been reaped to none (ESRCH), whoever gets its number then.
 *
 * Nothing here keeps state, and nothing but linux_proc_is_own() allocates, so the tracer may call
 * it. Functions that can fail give 0 or an errno.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* pidfd_open(2): the descriptor is for one thread and tells its end (Linux 6.9). */
#define LINUX_PIDFD_THREAD 0200u /* O_EXCL */

typedef struct linux_stat {
    int32_t id;
    char state;         /* R, S, D, T, t, Z, X ... */
    bool kernel_thread; /* PF_KTHREAD */
    int32_t threads;    /* alive or not yet reaped; 0: replaced by an execve just now, or reaped */
} linux_stat;

/* *own: does /proc number processes as system calls of this process do? Not where it was mounted
 * for another pid namespace: /proc/N is a stranger there. *shown: this process's number there, or
 * 0. */
int linux_proc_is_own(int32_t *shown, bool *own);

/* A descriptor of /proc/PID, or -1 and errno. */
int linux_process_folder(int32_t process);

/* /proc/PID/task/TID/stat (proc_pid_stat(5)); with thread == 0, /proc/PID/stat. */
int linux_process_stat(int folder, int32_t thread, linux_stat *stat);

/* Has this thread ended? What is left of it may wait for its parent, or for other threads. */
static inline bool linux_stat_ended(const linux_stat *stat)
{
    return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

/* True once the process has ended, with all its threads. */
bool linux_process_ended(int folder);

/* Where the folder is that of a thread: its process (Tgid in proc_pid_status(5)); 0: unknown. */
int32_t linux_process_of_thread(int folder);

/* A thread that has not ended, the first one if possible: only such a one has the process's memory.
 * 0: there is none. */
int32_t linux_process_living_thread(int folder);

/* 4 or 8, by the auxiliary vector of the process (getauxval(3)); where that may not be read, by the
 * program's file. */
int linux_process_pointer_size(int folder, int32_t thread, uint32_t *size);

/* Opens /proc/PID/NAME, or with a thread /proc/PID/task/TID/NAME, close-on-exec; the descriptor, or
 * -1 and errno. */
int linux_process_open(int folder, int32_t thread, const char *name, int flags);

/* Closes a descriptor that is open, and notes it by -1. */
void linux_close(int *file);

/* Has a system call been refused as such: by a sandbox (seccomp(2)), or a kernel that lacks it?
 * Some calls answer EPERM for reasons of their own. */
static inline bool linux_call_refused(int failure)
{
    return failure == ENOSYS || failure == EPERM || failure == EACCES;
}

/* pidfd_open(2); the descriptor (always close-on-exec), or -1 and errno. */
int linux_pidfd_open(int32_t id, unsigned flags);

/* 1 once the process behind a pidfd has ended (for a thread's pidfd: the thread), else 0; -1 if a
 * sandbox refuses poll(2). */
int linux_pidfd_ended(int pidfd);

/* pidfd_send_signal(2). */
int linux_pidfd_signal(int pidfd, int number);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t linux_now(void);

/* Calls visit(context, tid) for each thread of the process; stops at the first that gives false.
 * `directory` is a descriptor of /proc/PID/task. */
int linux_process_threads(int directory, bool (*visit)(void *context, int32_t thread),
                          void *context);

#endif
