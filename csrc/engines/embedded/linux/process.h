/* Facts about a Linux process, from /proc and pidfd: identity, state, threads.
 *
 * A folder identifies a process: it is a descriptor of /proc/PID. It leads to that process only.
 * Once the process has been reaped, it leads to none (ESRCH), even if another process gets the
 * number.
 *
 * No function here keeps state, and only linux_proc_is_own() allocates, so the tracer may call the
 * others. Functions that can fail return 0 or an errno.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PROCESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* pidfd_open(2): the descriptor is for one thread and reports its end (Linux 6.9). */
#define LINUX_PIDFD_THREAD 0200u /* O_EXCL */

typedef struct linux_stat {
    int32_t id;
    char state;         /* R, S, D, T, t, Z, X ... */
    bool kernel_thread; /* PF_KTHREAD */
    int32_t threads;    /* alive or not yet reaped; 0: replaced by an execve just now, or reaped */
} linux_stat;

/* The auxiliary vector (getauxval(3)): pairs of words as wide as the program's. Each execve makes
 * it anew, with the addresses of the program, its stack and the vDSO, which are random. */
typedef struct linux_vector {
    size_t length; /* in bytes; 0: it may not be read, as only its owner may */
    uint64_t words[2 * 64];
} linux_vector;

/* *own is true if /proc numbers processes as system calls of this process do. It is false if /proc
 * was mounted for another pid namespace: /proc/N is then another process. *shown is this process's
 * number in /proc, or 0. */
int linux_proc_is_own(int32_t *shown, bool *own);

/* A descriptor of /proc/PID, or -1 and errno. */
int linux_process_folder(int32_t process);

/* /proc/PID/task/TID/stat (proc_pid_stat(5)); with thread == 0, /proc/PID/stat. */
int linux_process_stat(int folder, int32_t thread, linux_stat *stat);

/* True if this thread has ended. Its remains may wait for its parent, or for other threads. */
static inline bool linux_stat_ended(const linux_stat *stat)
{
    return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

/* True once the process has ended, with all its threads. */
bool linux_process_ended(int folder);

/* If the folder is that of a thread, returns its process (Tgid in proc_pid_status(5)); 0: unknown.
 */
int32_t linux_process_of_thread(int folder);

/* Returns a thread that has not ended, the first one if possible: only a thread that lives has the
 * process's memory. 0: there is none. */
int32_t linux_process_living_thread(int folder);

/* Reads the auxiliary vector of a thread's memory. ESRCH: it has no memory any more. */
int linux_process_vector(int folder, int32_t thread, linux_vector *vector);

/* Gives 4 or 8, from the auxiliary vector or, if that may not be read, from the program's file. */
int linux_process_pointer_size(int folder, int32_t thread, const linux_vector *vector,
                               uint32_t *size);

/* Opens /proc/PID/NAME, or with a thread /proc/PID/task/TID/NAME, close-on-exec. Returns the
 * descriptor, or -1 and errno. */
int linux_process_open(int folder, int32_t thread, const char *name, int flags);

/* Closes a descriptor if it is open, and sets it to -1. */
void linux_close(int *file);

/* True if the system call itself was refused: by a sandbox (seccomp(2)), or by a kernel that lacks
 * it. Some calls also return EPERM for other reasons. */
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

/* Calls visit(context, tid) for each thread of the process; stops at the first call that returns
 * false. `directory` is a descriptor of /proc/PID/task. */
int linux_process_threads(int directory, bool (*visit)(void *context, int32_t thread),
                          void *context);

#endif
