/* The owner's side of the tracer: starts it, sends it requests, and ends it. The work of the tracer
 * is in host.c. */
#define _GNU_SOURCE 1
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "launch.h"
#include "process.h"

/* A tracer that has not completed a round in this time hangs: a round takes milliseconds. On a busy
 * processor it can take a tenth of this time until the tracer runs again, so no time limit of the
 * caller makes this shorter. */
#define STUCK_NS UINT64_C(500000000)

/* Thread sanitizer treats every clone() as a fork into separate memory. */
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

static bool reap_thread(void *context, int32_t thread)
{
    const linux_tracer *self = context;
    siginfo_t info = {.si_pid = 0};

    if (thread != self->process) {
        waitid(P_PID, (id_t)thread, &info, WEXITED | WNOHANG | __WALL);
    }
    return true;
}

/* Frees a tracer that hangs in PTRACE_SEIZE. A thread of the target is in an execve. It waits until
 * all others are reaped, which the tracer must do, and the tracer waits for a lock that the execve
 * holds (cred_guard_mutex; kernel/ptrace.c, ptrace_attach, and fs/exec.c, de_thread). A separate
 * tracer is killed, which releases all threads; then *again is set. If the tracer is a thread, any
 * other thread of its process can reap them. */
static void free_stuck(linux_tracer *self, bool *again)
{
    int pidfd = atomic_i32_load(&self->apart_pidfd);
    int directory;

    if (pidfd >= 0 && linux_pidfd_signal(pidfd, SIGKILL) == 0) {
        *again = true;
    } else {
        directory = linux_process_open(self->folder, 0, "task", O_RDONLY | O_DIRECTORY);
        if (directory >= 0) {
            linux_process_threads(directory, reap_thread, self);
            close(directory);
        }
    }
}

/* Waits until the opening has succeeded or failed, and checks meanwhile whether to continue. False:
 * the tracer was stuck, all threads were released, and the caller may try again. */
static bool await_opening(linux_tracer *self, const linux_waiting *waiting, bool attaching)
{
    struct pollfd answer = {.fd = self->answered, .events = POLLIN};
    uint64_t asked = linux_now();
    uint64_t moved = asked;
    int32_t beat = 0;
    bool again = false;

    while (atomic_i32_load(&self->phase) == LINUX_TRACER_STARTING) {
        if (poll(&answer, 1, 50) > 0) {
            linux_event_hush(self->answered);
        }
        if (atomic_i32_load(&self->beat) != beat) {
            beat = atomic_i32_load(&self->beat);
            moved = linux_now();
        } else if (attaching && !again && linux_now() - moved >= STUCK_NS) {
            free_stuck(self, &again);
            moved = linux_now();
        }
        if (waiting->keep_waiting != NULL && linux_now() - asked >= 50000000u &&
            atomic_i32_load(&self->cancelled) == 0) {
            if (!waiting->keep_waiting(waiting->context)) {
                atomic_i32_store(&self->cancelled, 1);
                linux_event_ring(self->wake);
            }
            asked = linux_now();
        }
    }
    return !again;
}

/* Makes one attempt. *again: it failed, and the next one may succeed. */
static linux_tracer *start(const linux_tracer_task *task, uint64_t deadline,
                           linux_open_error *error, bool *again)
{
    linux_tracer *self = calloc(1, sizeof *self);
    siginfo_t info = {.si_pid = 0};
    int failure;

    *again = false;
    if (self == NULL) {
        *error = (linux_open_error){LINUX_OPEN_SYSTEM, ENOMEM, "calloc", 0};
        goto done;
    }
    self->creator = getpid();
    self->process = task->process;
    self->folder = task->folder;
    self->launch = task->launch;
    self->deadline = deadline;
    self->apart = CAN_BE_APART && atomic_i32_load(&never_apart) == 0;
    self->directory = -1;
    self->watch = -1;
    self->pipes = (linux_launch_pipes){{-1, -1}, {-1, -1}};
    atomic_i32_store(&self->apart_pidfd, -1);
    atomic_i32_store(&self->joining, 1); /* until there is a thread to join */
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->answered = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake < 0 || self->answered < 0) {
        linux_tracer_fail(self,
                          linux_call_refused(errno) ? LINUX_OPEN_PERMISSION : LINUX_OPEN_SYSTEM,
                          "eventfd2", errno, 0);
        goto settled;
    }
    /* ECHILD is the expected result. If the call is refused, or a kernel does not accept __WALL
     * (before 4.7, waitid(2)), no stop would ever be reported. */
    if (waitid(P_PID, (id_t)self->creator, &info, WEXITED | WNOHANG | __WALL) != 0 &&
        errno != ECHILD) {
        linux_tracer_fail(self,
                          linux_call_refused(errno) ? LINUX_OPEN_PERMISSION : LINUX_OPEN_SYSTEM,
                          "waitid", errno, 0);
        goto settled;
    }
    failure = linux_host_start(self);
    if (failure != 0) {
        linux_tracer_fail(self,
                          linux_call_refused(failure) ? LINUX_OPEN_PERMISSION : LINUX_OPEN_SYSTEM,
                          "pthread_create", failure, 0);
        goto settled;
    }
    atomic_i32_store(&self->joining, 0);
    if (!await_opening(self, task->waiting, task->launch == NULL) &&
        (self->error.failure == LINUX_OPEN_OK || self->error.failure == LINUX_OPEN_TRACER_ENDED)) {
        *again = atomic_i32_load(&self->cancelled) == 0;
        linux_tracer_fail(self, LINUX_OPEN_CANCELLED, NULL, 0, 0);
    }
settled:
    *error = self->error;
    if (error->failure != LINUX_OPEN_OK) {
        linux_tracer_free(self);
        self = NULL;
    }
done:
    return self;
}

linux_tracer *linux_tracer_start(const linux_tracer_task *task, linux_open_error *error)
{
    uint64_t now = linux_now();
    uint64_t limit = task->waiting->timeout_ns;
    uint64_t deadline = limit > UINT64_MAX - now ? UINT64_MAX : now + limit;
    linux_tracer *self;
    bool again;

    do {
        self = start(task, deadline, error, &again);
        if (again && deadline != UINT64_MAX && linux_now() >= deadline) {
            *error = (linux_open_error){LINUX_OPEN_TIMEOUT, 0, NULL, task->process};
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
    linux_event_ring(self->wake);
    while (atomic_i32_load(&self->request) == LINUX_TRACER_FORCE &&
           atomic_i32_load(&self->phase) != LINUX_TRACER_ENDED) {
        if (poll(&answer, 1, 50) > 0) {
            linux_event_hush(self->answered);
        }
    }
    return self->force_result;
}

/* How often the end of a thread is looked for before a sleep. */
#define EXIT_LOOKS 50

/* Waits some microseconds until a thread has exited. The kernel releases a thread's tracees when it
 * exits, which is after pthread_join can return (kernel/exit.c: exit_mm, then exit_notify). The
 * exit is complete once the thread's directory no longer exists. */
static void await_exit(int32_t thread)
{
    struct timespec moment = {.tv_nsec = 50000};
    char path[64];
    int looks = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d", (int)thread);
    while (access(path, F_OK) == 0) {
        if (++looks < EXIT_LOOKS) {
            sched_yield();
        } else {
            nanosleep(&moment, NULL);
        }
    }
}

void linux_tracer_end(linux_tracer *self)
{
    if (self->creator == getpid() && atomic_i32_compare_exchange(&self->joining, 0, 1)) {
        atomic_i32_store(&self->request, LINUX_TRACER_LET_GO);
        linux_event_ring(self->wake);
        pthread_join(self->host, NULL);
        await_exit(self->host_id);
    }
}

void linux_tracer_free(linux_tracer *self)
{
    int apart = atomic_i32_load(&self->apart_pidfd);
    siginfo_t info = {.si_pid = 0};

    linux_tracer_end(self);
    if (self->creator == getpid() && self->child != 0 && self->error.failure != LINUX_OPEN_OK) {
        kill(self->child, SIGKILL); /* a killed tracer has not done so */
        waitid(P_PID, (id_t)self->child, &info, WEXITED | __WALL);
    }
    if (self->threads != NULL) {
        munmap(self->threads, self->capacity * sizeof *self->threads);
    }
    linux_close(&self->wake);
    linux_close(&self->answered);
    linux_close(&self->directory);
    linux_close(&self->watch);
    linux_launch_close(&self->pipes);
    linux_close(&apart);
    free(self);
}
