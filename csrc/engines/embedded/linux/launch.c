/* Starts a program under the tracer, stopped at its exec: fork, seize, exec. */
#define _GNU_SOURCE 1
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "newer_calls.h"
#include "process.h"
#include "stop.h"

enum step { STEP_CHDIR, STEP_DUP, STEP_SIGNALS, STEP_EXEC, STEP_READY };

static const char *const step_names[] = {"chdir", "dup2", "sigprocmask", "execve"};

/* The child writes this when it is ready to be traced, and when a step failed. */
typedef struct report {
    int32_t step;
    int32_t os_error;
} report;

/* ---- in the child: async-signal-safe calls only (signal-safety(7)) ----------------------------
 */

/* For kernels without close_range(2). */
static void close_each_at_exec(void)
{
    struct rlimit limit;
    rlim_t file;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 1048576) {
        limit.rlim_cur = 1048576;
    }
    for (file = 3; file < limit.rlim_cur; file++) {
        fcntl((int)file, F_SETFD, FD_CLOEXEC); /* EBADF if it is not open */
    }
}

/* No descriptor except 0, 1 and 2 survives the exec. The report's descriptor must stay open until
 * then. */
static void close_at_exec(void)
{
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) { /* Linux 5.11 */
        close_each_at_exec();
    }
}

/* Copies the descriptors to numbers above 2 first, so that one may also be the source of another.
 */
static bool place_standard(const int standard[3])
{
    int copies[3] = {-1, -1, -1};
    bool placed = true;
    int number;

    for (number = 0; placed && number < 3; number++) {
        if (standard[number] >= 0) {
            copies[number] = fcntl(standard[number], F_DUPFD_CLOEXEC, 3);
            placed = copies[number] >= 0;
        }
    }
    for (number = 0; placed && number < 3; number++) {
        if (copies[number] >= 0) {
            placed = dup2(copies[number], number) >= 0;
        }
    }
    return placed;
}

/* Handlers of this program must not run in the child once its mask is lifted. Ignored signals stay
 * ignored, as across any exec, except those that Python itself ignores. */
static bool restore_signals(void)
{
    struct sigaction action;
    sigset_t none;
    int number;

    for (number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL) {
            continue;
        }
        if (action.sa_handler != SIG_IGN || number == SIGPIPE || number == SIGXFSZ) {
            memset(&action, 0, sizeof action);
            action.sa_handler = SIG_DFL;
            sigaction(number, &action, NULL);
        }
    }
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static void say(int file, const report *what)
{
    while (write(file, what, sizeof *what) < 0 && errno == EINTR) {
    }
}

static void child_main(const linux_launch_options *launch, const linux_launch_pipes *ends,
                       pid_t tracer)
{
    report ready = {.step = STEP_READY}, failed = {.step = STEP_DUP};
    ssize_t got;
    char word;
    int bad;

    close(ends->go[1]);
    close(ends->bad[0]);
    /* If only ancestors may trace (Yama), this permits the tracer, which is a sibling if it runs
     * apart. */
    prctl(PR_SET_PTRACER, (unsigned long)tracer, 0ul, 0ul, 0ul);
    say(ends->bad[1], &ready);
    do {
        got = read(ends->go[0], &word, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1) {
        _exit(127); /* the tracer gave up */
    }
    bad = fcntl(ends->bad[1], F_DUPFD_CLOEXEC, 3); /* it may be 0, 1 or 2 itself */
    if (bad < 0) {
        bad = ends->bad[1];
        goto failed;
    }
    if (!place_standard(launch->standard)) {
        goto failed;
    }
    failed.step = STEP_CHDIR;
    if (launch->directory != NULL && chdir(launch->directory) != 0) {
        goto failed;
    }
    close_at_exec();
    failed.step = STEP_SIGNALS;
    if (!restore_signals()) {
        goto failed;
    }
    failed.step = STEP_EXEC;
    execve(launch->path, launch->arguments, launch->environment);
failed:
    failed.os_error = errno;
    say(bad, &failed);
    _exit(127);
}

/* ---- in the tracer ----------------------------------------------------------------------------
 */

static bool reported(linux_tracer *self, int bad)
{
    report failed;
    bool read_whole = read(bad, &failed, sizeof failed) == (ssize_t)sizeof failed;
    bool good = read_whole && failed.step >= 0 && failed.step <= STEP_EXEC;

    if (good) {
        linux_tracer_fail(self, LINUX_OPEN_EXEC, step_names[failed.step], failed.os_error, 0);
    }
    return good;
}

/* Waits until the child has set which process may trace it: if Yama requires that, the child can't
 * be seized before. */
static bool await_ready(linux_tracer *self, int bad)
{
    unsigned turn = 0;
    report ready;
    ssize_t got;

    while ((got = read(bad, &ready, sizeof ready)) != (ssize_t)sizeof ready) {
        if (got == 0) {
            return linux_tracer_fail(self, LINUX_OPEN_NO_PROCESS, "execve", ESRCH, 0);
        }
        if (!linux_stop_pause(self, &turn, self->child)) {
            return false;
        }
    }
    return true;
}

/* True if this stop is that of the exec; the child is resumed from any other stop. */
static bool at_exec(const linux_tracer *self, int status)
{
    bool reached = status >> 8 == PTRACE_EVENT_EXEC;
    bool event_stop = status >> 8 == PTRACE_EVENT_STOP;
    int number = event_stop ? 0 : status & 0xff;

    if (reached) {
        ptrace(PTRACE_SETOPTIONS, (pid_t)self->child, (void *)0, (void *)0);
    } else if (event_stop && (status & 0xff) != SIGTRAP) {
        /* Another process stopped it: it stays stopped until it receives SIGCONT (ptrace(2)). Then
         * it stops here with SIGTRAP (kernel/signal.c, do_jobctl_trap). */
        ptrace(PTRACE_LISTEN, (pid_t)self->child, (void *)0, (void *)0);
    } else {
        ptrace(PTRACE_CONT, (pid_t)self->child, (void *)0, (void *)(intptr_t)number);
    }
    return reached;
}

static bool await_exec(linux_tracer *self, int bad)
{
    unsigned turn = 0;
    int status = 0;
    bool held = false;
    bool go_on = true;
    bool dead;

    while (go_on) {
        if (linux_stop_wait(self, self->child, &status) == LINUX_WAIT_STOPPED &&
            at_exec(self, status)) {
            held = linux_stop_add(self, self->child, true);
            break;
        }
        /* In this order: a child reports before it dies. */
        dead = linux_stop_died(self->child);
        if (reported(self, bad)) {
            go_on = false;
        } else if (dead) {
            go_on = linux_tracer_fail(self, LINUX_OPEN_NO_PROCESS, "execve", ESRCH, 0);
        } else {
            go_on = linux_stop_pause(self, &turn, self->child);
        }
    }
    return held;
}

void linux_launch_close(linux_launch_pipes *ends)
{
    linux_close(&ends->go[0]);
    linux_close(&ends->go[1]);
    linux_close(&ends->bad[0]);
    linux_close(&ends->bad[1]);
}

bool linux_launch_run(linux_tracer *self)
{
    linux_launch_pipes *ends = &self->pipes;
    pid_t tracer = getpid();
    bool done = false;
    pid_t child;

    if (pipe2(ends->go, O_CLOEXEC) != 0 || pipe2(ends->bad, O_CLOEXEC | O_NONBLOCK) != 0) {
        linux_tracer_fail(self, LINUX_OPEN_SYSTEM, "pipe2", errno, 0);
        goto done;
    }
    /* The system call itself: fork() would run the atfork handlers of every library in the process,
     * from a thread that they don't know. If the tracer runs apart, CLONE_PARENT makes the new
     * process a child of the owner's process, as it is otherwise. */
    child = (pid_t)syscall(SYS_clone, self->apart ? CLONE_PARENT | SIGCHLD : SIGCHLD, 0, 0, 0, 0);
    if (child < 0) {
        linux_tracer_fail(self,
                          linux_call_refused(errno) ? LINUX_OPEN_PERMISSION : LINUX_OPEN_SYSTEM,
                          "clone", errno, 0);
        goto done;
    }
    if (child == 0) {
        child_main(self->launch, ends, tracer);
    }
    self->process = child;
    self->child = child;
    linux_close(&ends->go[0]);
    linux_close(&ends->bad[1]);
    if (!await_ready(self, ends->bad[0])) {
        goto done;
    }
    /* The child is seized before it does anything else, and only its exec stops it. */
    if (ptrace(PTRACE_SEIZE, child, (void *)0, (void *)(intptr_t)PTRACE_O_TRACEEXEC) != 0) {
        linux_tracer_fail(self,
                          linux_call_refused(errno) ? LINUX_OPEN_PERMISSION : LINUX_OPEN_SYSTEM,
                          "ptrace(PTRACE_SEIZE)", errno, 0);
        goto done;
    }
    if (write(ends->go[1], "", 1) != 1) {
        linux_tracer_fail(self, LINUX_OPEN_SYSTEM, "write", errno, 0);
        goto done;
    }
    done = await_exec(self, ends->bad[0]);
done:
    if (!done && self->child != 0) {
        kill(self->child, SIGKILL); /* only the owner reaps it, after this */
    }
    linux_launch_close(ends);
    return done;
}
