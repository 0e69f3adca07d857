/* The tracer's life: starting it, the channel to its owner, what it does while it holds a process,
 * and ending it. */
#define _GNU_SOURCE 1
#include "linux_tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_process.h"
#include "linux_stop.h"

#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

#define STACK_SIZE ((size_t)256 * 1024)

/* A tracer that has not gone one round in this time hangs: a round takes milliseconds. */
#define STUCK_NS UINT64_C(500000000)
/* The same for one that should have given up already. */
#define LATE_NS UINT64_C(50000000)

/* Thread sanitizer takes every clone() for a fork, with other memory behind it. */
#if defined(__SANITIZE_THREAD__)
#define CAN_BE_APART false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CAN_BE_APART false
#endif
#endif
#if !defined(CAN_BE_APART)
#define CAN_BE_APART true
#endif

static atomic_i32 never_apart;

void linux_tracer_never_apart(bool never)
{
    atomic_i32_store(&never_apart, never);
}

static void ring(int event)
{
    uint64_t one = 1;

    while (write(event, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void hush(int event)
{
    uint64_t count;

    while (read(event, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

static void shut(int file)
{
    if (file >= 0) {
        close(file);
    }
}

/* ---- in the tracer ---------------------------------------------------------------------- */

/* A descriptor that becomes readable when the process dies. The pidfd of a process does only once
 * all its threads are reaped, and the tracer itself has to reap them: so that of a thread, which is
 * not the leader's, as its end too is told late (kernel/exit.c, exit_notify). All threads are
 * stopped, and so can only die together. -1 and an interval where the kernel is older than 6.9. */
static int open_watch(const linux_tracer *self, int *interval)
{
    int watch;
    size_t place;

    if (self->count <= 1) {
        watch = linux_pidfd_open(self->process, 0);
    } else {
        place = self->threads[0].id == self->process ? 1 : 0;
        watch = linux_pidfd_open(self->threads[place].id, LINUX_PIDFD_THREAD);
    }
    *interval = watch < 0 ? 5 : -1;
    return watch;
}

/* Has any traced thread died? Nothing is reaped, and children of other threads are not looked at
 * (__WNOTHREAD). */
static bool any_death(void)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD) == 0 &&
           info.si_pid != 0;
}

/* Until it is asked to let go (true) or the process has died (false). */
static bool hold(linux_tracer *self)
{
    int interval;
    bool asked = false;

    self->watch = open_watch(self, &interval);

    for (;;) {
        struct pollfd sources[2] = {{.fd = self->wake, .events = POLLIN},
                                    {.fd = self->watch, .events = POLLIN}};

        poll(sources, 2, interval);
        if (sources[1].revents != 0 || any_death()) {
            break;
        }
        if ((sources[0].revents & POLLIN) != 0) {
            hush(self->wake);
        }
        if (atomic_i32_load(&self->request) == LINUX_TRACER_LET_GO) {
            asked = true;
            break;
        }
        if (atomic_i32_load(&self->request) == LINUX_TRACER_FORCE) {
            self->force_result = pwrite(self->force_descriptor, self->force_data, self->force_size,
                                        (off_t)self->force_address);
            if (self->force_result < 0) {
                self->force_result = -errno;
            }
            atomic_i32_store(&self->request, LINUX_TRACER_NOTHING);
            ring(self->answered);
        }
    }
    shut(self->watch);
    self->watch = -1;
    return asked;
}

/* All of the tracer's work. When the process has died this simply returns: the end of the tracer
 * reaps the dead threads, hands the leader to its parent and tells it (exit_ptrace). */
static void trace(linux_tracer *self)
{
    bool opened = self->launch != NULL ? linux_launch_run(self) : linux_stop_all(self);

    if (!opened) {
        linux_stop_let_go(self);
        return;
    }
    self->launch = NULL;
    atomic_i32_store(&self->phase, LINUX_TRACER_HOLDING);
    ring(self->answered);
    if (hold(self)) {
        linux_stop_let_go(self);
    } else {
        atomic_i32_store(&self->gone, 1);
    }
}

/* ---- its host ---------------------------------------------------------------------------- */

/* The process apart begins here. It lives on the thread-local storage (errno) of its host, which
 * meanwhile sits in one system call. */
static int apart_main(void *argument)
{
    linux_tracer *self = argument;

    /* If the host ends, so does this; the second line is for a host that ended before. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == self->creator) {
        prctl(PR_SET_NAME, "pydbgwrite");
        trace(self);
    }
    return 0;
}

/* False when no such process could be made. No exit signal: it is invisible to waitpid(-1) and
 * sends no SIGCHLD (clone(2)). */
static bool run_apart(linux_tracer *self)
{
    unsigned char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    pid_t process = -1;
    int status = 0;
    int pidfd = -1;

    if (stack == MAP_FAILED) {
        return false;
    }
    mprotect(stack, 4096, PROT_NONE); /* a guard, as far as pages are that small */
    process = clone(apart_main, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_PIDFD,
                    self, &pidfd);
    if (process > 0) {
        atomic_i32_store(&self->apart_pidfd, pidfd);
        /* syscall(), not waitpid(): that is a cancellation point, which writes to the storage that
         * is the other's now. All signals are blocked, so there is no EINTR to write to errno. */
        while (syscall(SYS_wait4, process, &status, __WALL, NULL) < 0 && errno == EINTR) {
        }
    }
    munmap(stack, STACK_SIZE);
    return process > 0;
}

static void *host_main(void *argument)
{
    linux_tracer *self = argument;

    self->host_id = (int32_t)syscall(SYS_gettid);
    if (self->apart) {
        self->apart = run_apart(self);
    }
    if (self->apart && self->error.failure == LINUX_OPEN_PERMISSION && self->child == 0) {
        /* Perhaps an ancestor may (yama.ptrace_scope=1), and that this thread's process can be. */
        self->apart = false;
        self->error = (linux_open_error){.failure = LINUX_OPEN_OK};
    }
    if (!self->apart) {
        trace(self);
    }
    /* Nobody holds the process from here on, whether it was asked for or not. */
    atomic_i32_store(&self->gone, 1);
    atomic_i32_store(&self->phase, LINUX_TRACER_ENDED);
    ring(self->answered);
    return NULL;
}

/* With all signals blocked, so that none of this process is ever handled there. */
static int start_host(linux_tracer *self)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int failure = pthread_attr_init(&attributes);

    if (failure != 0) {
        return failure;
    }
    /* Thread-local storage comes out of this, too: only what is touched costs memory. */
    pthread_attr_setstacksize(&attributes, 4 * STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&self->host, &attributes, host_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

/* ---- its owner --------------------------------------------------------------------------- */

static bool reap_thread(void *context, int32_t thread)
{
    const linux_tracer *self = context;
    siginfo_t info = {.si_pid = 0};

    if (thread != self->process) {
        waitid(P_PID, (id_t)thread, &info, WEXITED | WNOHANG | __WALL);
    }
    return true;
}

/* Frees a tracer that hangs in PTRACE_SEIZE. A thread of the target is in an execve: it waits until
 * all others are reaped, which is the tracer's to do, and the tracer waits for a lock that the
 * execve holds (cred_guard_mutex; kernel/ptrace.c, ptrace_attach, and fs/exec.c, de_thread). A
 * tracer apart is killed, which lets everything go: then *again is set. For a tracer that is a
 * thread any other of its process can do the reaping. */
static void free_stuck(linux_tracer *self, bool *again)
{
    int pidfd = atomic_i32_load(&self->apart_pidfd);
    int directory;

    if (pidfd >= 0 && linux_pidfd_signal(pidfd, SIGKILL) == 0) {
        *again = true;
        return;
    }
    directory = linux_process_open(self->process, "task", O_RDONLY | O_DIRECTORY);
    if (directory >= 0) {
        linux_process_threads(directory, reap_thread, self);
        close(directory);
    }
}

/* Waits until the opening has come out one way or the other, and asks meanwhile whether to go on.
 * False: the tracer was stuck, everything was let go, and it may be tried again. */
static bool await_opening(linux_tracer *self, const linux_waiting *waiting, bool attaching)
{
    struct pollfd answer = {.fd = self->answered, .events = POLLIN};
    uint64_t asked = linux_now();
    uint64_t moved = asked;
    int32_t beat = 0;
    bool again = false;

    while (atomic_i32_load(&self->phase) == LINUX_TRACER_STARTING) {
        if (poll(&answer, 1, 50) > 0) {
            hush(self->answered);
        }
        if (atomic_i32_load(&self->beat) != beat) {
            beat = atomic_i32_load(&self->beat);
            moved = linux_now();
        } else if (attaching && !again &&
                   (linux_now() - moved >= STUCK_NS || linux_now() - LATE_NS > self->deadline)) {
            free_stuck(self, &again);
            moved = linux_now();
        }
        if (waiting->keep_waiting != NULL && linux_now() - asked >= 50000000u &&
            atomic_i32_load(&self->cancelled) == 0) {
            if (!waiting->keep_waiting(waiting->context)) {
                atomic_i32_store(&self->cancelled, 1);
                ring(self->wake);
            }
            asked = linux_now();
        }
    }
    return !again;
}

/* One attempt. *again: it came to nothing, and the next one may succeed. */
static linux_tracer *start(int32_t process, const linux_launch_options *launch,
                           const linux_waiting *waiting, uint64_t deadline, linux_open_error *error,
                           bool *again)
{
    linux_tracer *self = calloc(1, sizeof *self);
    int failure;

    *again = false;
    if (self == NULL) {
        *error = (linux_open_error){LINUX_OPEN_SYSTEM, ENOMEM, "calloc", 0};
        return NULL;
    }
    self->creator = getpid();
    self->process = process;
    self->launch = launch;
    self->deadline = deadline;
    self->apart = CAN_BE_APART && atomic_i32_load(&never_apart) == 0;
    self->directory = -1;
    self->watch = -1;
    atomic_i32_store(&self->apart_pidfd, -1);
    atomic_i32_store(&self->joining, 1); /* until there is something to join */
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->answered = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake < 0 || self->answered < 0) {
        linux_tracer_fail(self, LINUX_OPEN_SYSTEM, "eventfd", errno, 0);
        goto failed;
    }
    failure = start_host(self);
    if (failure != 0) {
        linux_tracer_fail(self, LINUX_OPEN_SYSTEM, "pthread_create", failure, 0);
        goto failed;
    }
    atomic_i32_store(&self->joining, 0);
    if (!await_opening(self, waiting, launch == NULL) && self->error.failure == LINUX_OPEN_OK) {
        *again = atomic_i32_load(&self->cancelled) == 0;
        linux_tracer_fail(self, LINUX_OPEN_CANCELLED, NULL, 0, 0);
    }
    *error = self->error;
    if (error->failure == LINUX_OPEN_OK) {
        return self;
    }
failed:
    *error = self->error;
    linux_tracer_free(self);
    return NULL;
}

linux_tracer *linux_tracer_start(int32_t process, const linux_launch_options *launch,
                                 const linux_waiting *waiting, linux_open_error *error)
{
    uint64_t now = linux_now();
    uint64_t deadline =
        waiting->timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + waiting->timeout_ns;
    linux_tracer *self;
    bool again;

    do {
        self = start(process, launch, waiting, deadline, error, &again);
        if (again && deadline != UINT64_MAX && linux_now() >= deadline) {
            *error = (linux_open_error){LINUX_OPEN_TIMEOUT, 0, NULL, process};
            again = false;
        }
    } while (again);
    return self;
}

ssize_t linux_tracer_force(linux_tracer *self, int memory, uint64_t address, const void *data,
                           size_t size)
{
    struct pollfd answer = {.fd = self->answered, .events = POLLIN};

    self->force_descriptor = memory;
    self->force_address = address;
    self->force_data = data;
    self->force_size = size;
    self->force_result = -ESRCH;
    atomic_i32_store(&self->request, LINUX_TRACER_FORCE);
    ring(self->wake);
    while (atomic_i32_load(&self->request) == LINUX_TRACER_FORCE &&
           atomic_i32_load(&self->phase) != LINUX_TRACER_ENDED) {
        if (poll(&answer, 1, 50) > 0) {
            hush(self->answered);
        }
    }
    return self->force_result;
}

/* A thread's traced threads are let go when it exits, which is after pthread_join can return
 * (kernel/exit.c: exit_mm, then exit_notify); it is over when its directory has gone. */
static void await_exit(int32_t thread)
{
    struct timespec moment = {.tv_nsec = 50000};
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%d", (int)thread);
    while (access(path, F_OK) == 0) {
        nanosleep(&moment, NULL);
    }
}

void linux_tracer_end(linux_tracer *self)
{
    if (self->creator != getpid() || !atomic_i32_compare_exchange(&self->joining, 0, 1)) {
        return;
    }
    atomic_i32_store(&self->request, LINUX_TRACER_LET_GO);
    ring(self->wake);
    pthread_join(self->host, NULL);
    await_exit(self->host_id);
}

void linux_tracer_free(linux_tracer *self)
{
    siginfo_t info = {.si_pid = 0};

    linux_tracer_end(self);
    if (self->creator == getpid() && self->child != 0 && self->error.failure != LINUX_OPEN_OK) {
        waitid(P_PID, (id_t)self->child, &info, WEXITED | __WALL);
    }
    if (self->threads != NULL) {
        munmap(self->threads, self->capacity * sizeof *self->threads);
    }
    shut(self->wake);
    shut(self->answered);
    shut(self->directory);
    shut(self->watch);
    shut(atomic_i32_load(&self->apart_pidfd));
    free(self);
}
