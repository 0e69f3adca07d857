/* Stops all threads of a process with ptrace, and releases them in the state in which they were
 * found. */
#define _GNU_SOURCE 1
#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "process.h"

/* How often a separate tracer looks for a stop before it sleeps. */
#define LOOKS 180u

/* Returns the place of a thread in the table, or the place to insert it. */
static size_t place_of(const linux_tracer *self, int32_t thread)
{
    size_t low = 0;
    size_t high = self->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->threads[middle].id < thread) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* mmap, not malloc: see tracer.h. */
static bool grow(linux_tracer *self)
{
    size_t capacity = self->capacity == 0 ? 512 : self->capacity * 2; /* threads are < 2^22 */
    linux_traced *threads = mmap(NULL, capacity * sizeof *self->threads, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (threads == MAP_FAILED) {
        return linux_tracer_fail(self, LINUX_OPEN_SYSTEM, "mmap", errno, 0);
    }
    if (self->threads != NULL) {
        memcpy(threads, self->threads, self->count * sizeof *self->threads);
        munmap(self->threads, self->capacity * sizeof *self->threads);
    }
    self->threads = threads;
    self->capacity = capacity;
    return true;
}

bool linux_stop_add(linux_tracer *self, int32_t thread, bool stopped)
{
    size_t place;

    if (self->count == self->capacity && !grow(self)) {
        return false;
    }
    place = place_of(self, thread);
    memmove(self->threads + place + 1, self->threads + place,
            (self->count - place) * sizeof *self->threads);
    self->threads[place].id = thread;
    self->threads[place].stopped = stopped;
    self->count++;
    return true;
}

static void drop(linux_tracer *self, size_t place)
{
    self->count--;
    memmove(self->threads + place, self->threads + place + 1,
            (self->count - place) * sizeof *self->threads);
}

/* Reads the stop of a thread whose status another thread of this process has taken. The stop itself
 * persists, and PTRACE_GETSIGINFO, which works only on a stopped tracee, shows its kind. For a
 * ptrace event si_code is event << 8 | signal (kernel/signal.c, ptrace_do_notify). */
static bool stolen_stop(int32_t thread, int *status)
{
    siginfo_t info;
    bool stopped;

    memset(&info, 0, sizeof info);
    stopped = ptrace(PTRACE_GETSIGINFO, (pid_t)thread, (void *)0, &info) == 0;
    if (stopped) {
        *status = info.si_code > 0xff ? info.si_code & 0xffff : info.si_signo;
    }
    return stopped;
}

/* The code checks that the reported status is an end: the kernel reports the stops of tracees to
 * their tracer, whatever the options of the wait (kernel/exit.c, wait_task_stopped: "Traditionally
 * we see ptrace'd stopped tasks regardless of options"). */
bool linux_stop_died(int32_t thread)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PID, (id_t)thread, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0) {
        return errno == ECHILD;
    }
    return info.si_pid != 0 &&
           (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
}

/* Interprets a status. The status of a death is taken now if it has only been read so far. */
static linux_wait read_status(const linux_tracer *self, int32_t thread, siginfo_t *info,
                              int *status)
{
    linux_wait answer = LINUX_WAIT_ENDED;

    if (info->si_code == CLD_TRAPPED || info->si_code == CLD_STOPPED) {
        *status = info->si_status;
        answer = LINUX_WAIT_STOPPED;
    } else if (self->apart) {
        waitid(P_PID, (id_t)thread, info, WEXITED | WNOHANG | __WALL);
    }
    return answer;
}

/* The end of a leader is never taken, since it belongs to its parent; linux_process_stat() reads it
 * elsewhere. If the tracer runs apart, stops are not taken either (no other thread can see them):
 * if the tracer is killed during a signal stop that is not taken, the signal still reaches the
 * thread. */
linux_wait linux_stop_wait(const linux_tracer *self, int32_t thread, int *status)
{
    int options = WSTOPPED | WNOHANG | __WALL;
    linux_wait answer = LINUX_WAIT_STOPPED;
    bool settled = false;
    siginfo_t info;
    int attempt;

    if (thread != self->process) {
        options |= WEXITED;
    }
    if (self->apart) {
        options |= WNOWAIT;
    }
    for (attempt = 0; attempt < 2 && !settled; attempt++) {
        memset(&info, 0, sizeof info);
        settled = true;
        if (waitid(P_PID, (id_t)thread, &info, options) != 0) {
            answer = errno == ECHILD ? LINUX_WAIT_ENDED : LINUX_WAIT_NOTHING;
        } else if (info.si_pid != 0) {
            answer = read_status(self, thread, &info, status);
        } else if (self->apart || !stolen_stop(thread, status)) {
            answer = LINUX_WAIT_NOTHING;
        } else {
            /* It may have stopped between the two checks: take the status if it is still there. */
            settled = false;
        }
    }
    return answer;
}

/* A turn of a wait for a thread that stops within microseconds. A separate tracer looks again at
 * once, and then waits for the SIGCHLD of a stop (kernel/signal.c, do_notify_parent_cldstop), which
 * it has blocked. It does not yield: on a busy processor that costs a whole slice of another
 * process's. A tracer that is a thread yields: to take the status soon reduces the chance that
 * another waiting thread of this process receives it. */
static void await_stop(const linux_tracer *self, unsigned turn)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    sigset_t stops;

    if (!self->apart) {
        sched_yield();
    } else if (turn >= LOOKS) {
        sigemptyset(&stops);
        sigaddset(&stops, SIGCHLD);
        sigtimedwait(&stops, NULL, &moment);
    }
}

bool linux_stop_pause(linux_tracer *self, unsigned *turn, int32_t thread)
{
    struct pollfd wake = {.fd = self->wake, .events = POLLIN};
    bool go_on = true;

    if (*turn < 200) {
        await_stop(self, *turn);
    } else {
        poll(&wake, 1, *turn < 220 ? 1 : 5);
    }
    if (*turn < 1000) {
        (*turn)++;
    }
    atomic_i32_add(&self->beat, 1);
    if (atomic_i32_load(&self->cancelled) != 0) {
        go_on = linux_tracer_fail(self, LINUX_OPEN_CANCELLED, NULL, 0, 0);
    } else if (self->deadline != UINT64_MAX && linux_now() >= self->deadline) {
        go_on = linux_tracer_fail(self, LINUX_OPEN_TIMEOUT, NULL, 0, thread);
    }
    return go_on;
}

static bool ended(const linux_tracer *self, int32_t thread)
{
    linux_stat stat;
    int failure = linux_process_stat(self->folder, thread, &stat);

    /* Any other failure, such as EMFILE, says nothing about the thread. */
    return failure == ENOENT || failure == ESRCH || (failure == 0 && linux_stat_ended(&stat));
}

typedef struct scan {
    linux_tracer *self;
    bool fresh; /* a thread was met for the first time */
    bool failed;
} scan;

/* The kernel also returns EPERM for a thread that has ended (kernel/ptrace.c, ptrace_attach:
 * exit_state), and an execve may meanwhile have given its id to a live thread: try a few times. */
static int seize(linux_tracer *self, int32_t thread)
{
    int failure = EPERM;
    int attempt;

    for (attempt = 0; attempt < 8 && failure == EPERM; attempt++) {
        atomic_i32_add(&self->beat, 1);
        failure = ptrace(PTRACE_SEIZE, (pid_t)thread, (void *)0, (void *)0) == 0 ? 0 : errno;
        if (failure != EPERM) {
            break;
        }
        /* In this order: a traced leader that has ended before others also accepts the request. */
        if (ended(self, thread)) {
            failure = ESRCH;
        } else if (ptrace(PTRACE_INTERRUPT, (pid_t)thread, (void *)0, (void *)0) == 0) {
            failure = 0; /* traced already: an execve gave it the leader's id */
        } else {
            sched_yield();
        }
    }
    return failure;
}

static bool meet(void *context, int32_t thread)
{
    scan *found = context;
    linux_tracer *self = found->self;
    size_t place = place_of(self, thread);
    bool go_on = true;
    int failure;

    atomic_i32_add(&self->beat, 1);
    if (place < self->count && self->threads[place].id == thread) {
        goto done;
    }
    failure = seize(self, thread);
    if (failure == 0) {
        ptrace(PTRACE_INTERRUPT, (pid_t)thread, (void *)0, (void *)0);
        found->fresh = true;
        go_on = linux_stop_add(self, thread, false);
    } else if (failure != ESRCH) {
        go_on = linux_tracer_fail(
            self, linux_call_refused(failure) ? LINUX_OPEN_PERMISSION : LINUX_OPEN_SYSTEM,
            "ptrace(PTRACE_SEIZE)", failure, 0);
    }
    found->failed = !go_on;
done:
    return go_on;
}

/* Delivers a signal to the thread now, so that it is not held and would not be lost with this
 * process. INTERRUPT comes first and persists after the CONT: this stop has already cleared the
 * earlier request (kernel/signal.c, ptrace_stop: "Any trap clears pending STOP trap"). */
static void pass_on(int32_t thread, int number)
{
    ptrace(PTRACE_INTERRUPT, (pid_t)thread, (void *)0, (void *)0);
    ptrace(PTRACE_CONT, (pid_t)thread, (void *)0, (void *)(intptr_t)number);
}

/* Checks every thread, also the stopped ones: an execve or a SIGKILL ends them as well, and an
 * execve waits until they are reaped. Returns a thread that is not stopped, or 0; the leader only
 * if no other is left. */
static int32_t collect(linux_tracer *self, bool urge)
{
    int32_t running = 0;
    size_t place = 0;
    int status = 0;

    while (place < self->count) {
        linux_traced *thread = self->threads + place;
        linux_wait answer = linux_stop_wait(self, thread->id, &status);

        /* An execve by another thread may have given the id to a new thread: request the stop
         * again. ESRCH: the thread is not traced. */
        if (answer == LINUX_WAIT_NOTHING && urge && !thread->stopped &&
            ptrace(PTRACE_INTERRUPT, (pid_t)thread->id, (void *)0, (void *)0) != 0 &&
            errno == ESRCH) {
            answer = LINUX_WAIT_ENDED;
        }
        if (answer == LINUX_WAIT_ENDED) {
            drop(self, place);
            continue;
        }
        /* PTRACE_EVENT_STOP, also that of a group stop, is the requested stop. */
        thread->stopped = answer == LINUX_WAIT_STOPPED && status >> 8 != 0;
        if (answer == LINUX_WAIT_STOPPED && !thread->stopped) {
            pass_on(thread->id, status);
        }
        if (!thread->stopped && (running == 0 || running == self->process)) {
            running = thread->id;
        }
        place++;
    }
    return running;
}

static bool in_event_stop(int32_t thread)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    return ptrace(PTRACE_GETSIGINFO, (pid_t)thread, (void *)0, &info) == 0 &&
           info.si_code >> 8 == PTRACE_EVENT_STOP;
}

/* True if the known threads are all threads of the process. All known threads have stopped, so none
 * of them can start another. They are complete if their number equals the kernel's count; a listing
 * alone could miss a thread, since it skips some when threads end while it is read (fs/proc/base.c,
 * first_tid). Then each must still be in its stop: an execve by an unknown thread kills stopped
 * threads too, and takes the leader's id. The order matters: once the counts are equal and all are
 * stopped, no other thread is left to make an execve.
 *
 * A leader that has ended earlier counts while others live, and can't be stopped.
 */
static bool complete(linux_tracer *self, const linux_stat *stat)
{
    bool headless = linux_stat_ended(stat);
    size_t place, stopped = 0;
    bool all = true;

    for (place = 0; place < self->count; place++) {
        linux_traced *thread = self->threads + place;

        if (headless && thread->id == self->process) {
            continue;
        }
        if (in_event_stop(thread->id)) {
            stopped++;
        } else {
            thread->stopped = false;
            all = false;
        }
    }
    return all && stopped > 0 && stat->threads == (int32_t)stopped + (headless ? 1 : 0);
}

bool linux_stop_all(linux_tracer *self)
{
    scan found = {.self = self};
    unsigned turn = 0;
    linux_stat stat;
    int32_t running;
    bool done = false;
    int failure;

    /* The leader comes first, and its stop is taken at once, since other threads may wait for it.
     */
    if (!meet(&found, self->process)) {
        goto done;
    }
    for (turn = 0; turn < 200 && collect(self, false) != 0; turn++) {
        await_stop(self, turn);
    }
    self->directory = linux_process_open(self->folder, 0, "task", O_RDONLY | O_DIRECTORY);
    if (self->directory < 0) {
        linux_tracer_fail(self, errno == ENOENT ? LINUX_OPEN_NO_PROCESS : LINUX_OPEN_SYSTEM,
                          "open(/proc/PID/task)", errno, 0);
        goto done;
    }
    turn = 0;
    for (;;) {
        found.fresh = false;
        failure = linux_process_threads(self->directory, meet, &found);
        if (found.failed) {
            goto done;
        }
        if (failure != 0 && failure != ESRCH) {
            linux_tracer_fail(self, LINUX_OPEN_SYSTEM, "getdents64(/proc/PID/task)", failure, 0);
            goto done;
        }
        running = collect(self, turn >= 200);
        failure = linux_process_stat(self->folder, 0, &stat);
        if (failure != 0) {
            linux_tracer_fail(self,
                              failure == ENOENT || failure == ESRCH ? LINUX_OPEN_NO_PROCESS
                                                                    : LINUX_OPEN_SYSTEM,
                              "open(/proc/PID/stat)", failure, 0);
            goto done;
        }
        if (linux_stat_ended(&stat) && stat.threads == 1) {
            linux_tracer_fail(self, LINUX_OPEN_NO_PROCESS, "ptrace", ESRCH, 0);
            goto done;
        }
        if (!found.fresh &&
            (running == 0 || (running == self->process && linux_stat_ended(&stat))) &&
            complete(self, &stat)) {
            break;
        }
        if (found.fresh) {
            turn = 0; /* there is progress: do not sleep */
        }
        if (!linux_stop_pause(self, &turn, running)) {
            goto done;
        }
    }
    done = true;
done:
    linux_close(&self->directory);
    return done;
}

void linux_stop_let_go(linux_tracer *self)
{
    size_t place;

    for (place = 0; place < self->count; place++) {
        linux_traced *thread = self->threads + place;
        int status = 0;
        int number = 0;

        if (!thread->stopped) {
            if (linux_stop_wait(self, thread->id, &status) != LINUX_WAIT_STOPPED) {
                continue; /* the kernel withdraws the request when the tracer ends */
            }
            number = status >> 8 == 0 ? status : 0;
        }
        ptrace(PTRACE_DETACH, (pid_t)thread->id, (void *)0, (void *)(intptr_t)number);
    }
    self->count = 0;
}
