/* Runs the tracer: its host thread, the separate process that this thread creates if it can, and
 * the loop that holds the target once it is stopped. */
#define _GNU_SOURCE 1
#include "host.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch.h"
#include "process.h"
#include "stop.h"

/* The address sanitizer records the state of a stack by address, and the clone's stack may lie
 * where an earlier stack has left such records. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ADDRESS_SANITIZER
#endif
#if defined(WITH_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

#define STACK_SIZE ((size_t)256 * 1024)

/* ---- in the tracer ---------------------------------------------------------------------- */

/* Returns a thread whose end shows the end of the process: all threads are stopped, so they can
 * only die together. It is not the leader if there is another thread. The leader may have ended
 * before, and the kernel reports its end only when all others are reaped, which is the tracer's
 * task (kernel/exit.c, exit_notify). */
static int32_t witness(const linux_tracer *self)
{
    return self->threads[self->count > 1 && self->threads[0].id == self->process ? 1 : 0].id;
}

/* Opens a descriptor that becomes readable when the process dies: that of a thread, for the reason
 * above. Gives -1 and an interval if the kernel is older than 6.9. */
static int open_watch(const linux_tracer *self, int *interval)
{
    int32_t thread = witness(self);
    int watch = linux_pidfd_open(thread, thread != self->process ? LINUX_PIDFD_THREAD : 0);

    *interval = watch < 0 ? 5 : -1;
    return watch;
}

/* Writes some or all bytes of one aligned word, which lies in one page. */
static bool poke(pid_t thread, uint64_t word_at, size_t offset, const void *data, size_t size)
{
    void *at = (void *)(uintptr_t)word_at;
    long word = 0;

    if (size < sizeof word) {
        errno = 0;
        word = ptrace(PTRACE_PEEKDATA, thread, at, (void *)0);
        if (errno != 0) {
            return false;
        }
    }
    memcpy((unsigned char *)&word + offset, data, size);
    return ptrace(PTRACE_POKEDATA, thread, at, (void *)(intptr_t)word) == 0;
}

/* Makes a forced write; returns the bytes written, or -errno. Without a descriptor it uses
 * PTRACE_POKEDATA, which the kernel forces too (kernel/ptrace.c, generic_ptrace_pokedata). */
static ssize_t force(const linux_tracer *self)
{
    const unsigned char *data = self->force_data;
    size_t offset, step, done = 0;
    ssize_t written;

    if (self->force_descriptor >= 0) {
        written =
            pwrite(self->force_descriptor, data, self->force_size, (off_t)self->force_address);
        return written < 0 ? -errno : written;
    }
    while (done < self->force_size) {
        offset = (size_t)((self->force_address + done) % sizeof(long));
        step = sizeof(long) - offset;
        step = step < self->force_size - done ? step : self->force_size - done;
        if (!poke((pid_t)witness(self), self->force_address + done - offset, offset, data + done,
                  step)) {
            break;
        }
        done += step;
    }
    return done > 0 ? (ssize_t)done : -errno;
}

/* Holds the process until the owner requests its release (true) or the process has died (false). */
static bool hold(linux_tracer *self)
{
    int interval;
    bool asked = false;

    self->watch = open_watch(self, &interval);

    for (;;) {
        struct pollfd sources[2] = {{.fd = self->wake, .events = POLLIN},
                                    {.fd = self->watch, .events = POLLIN}};

        poll(sources, 2, interval);
        if (sources[1].revents != 0 || linux_stop_died(witness(self))) {
            break;
        }
        if ((sources[0].revents & POLLIN) != 0) {
            linux_event_hush(self->wake);
        }
        if (atomic_i32_load(&self->request) == LINUX_TRACER_LET_GO) {
            asked = true;
            break;
        }
        if (atomic_i32_load(&self->request) == LINUX_TRACER_FORCE) {
            self->force_result = force(self);
            atomic_i32_store(&self->request, LINUX_TRACER_NOTHING);
            linux_event_ring(self->answered);
        }
    }
    linux_close(&self->watch);
    return asked;
}

/* Does all of the tracer's work. If the process has died, it only returns: at the end of the tracer
 * the kernel reaps the dead threads, hands the leader to its parent and notifies the parent
 * (exit_ptrace). */
static void trace(linux_tracer *self)
{
    bool opened = self->launch != NULL ? linux_launch_run(self) : linux_stop_all(self);
    bool died = false;

    if (opened) {
        self->launch = NULL;
        self->opened = true;
        atomic_i32_store(&self->phase, LINUX_TRACER_HOLDING);
        linux_event_ring(self->answered);
        died = !hold(self);
    }
    if (died) {
        atomic_i32_store(&self->gone, 1);
    } else {
        linux_stop_let_go(self);
    }
}

/* ---- its host ---------------------------------------------------------------------------- */

/* The separate process begins here. It uses the thread-local storage (errno) of its host, which
 * meanwhile waits in one system call. */
static int apart_main(void *argument)
{
    linux_tracer *self = argument;
    struct sigaction usual = {.sa_handler = SIG_DFL};

    /* It waits for this signal (stop.c), which a parent that ignores it does not get. Its table of
     * handlers is its own. */
    sigaction(SIGCHLD, &usual, NULL);
    /* If the host ends, this process ends too; the second line covers a host that has ended
     * already. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == self->creator) {
        trace(self);
    }
    return 0;
}

/* Runs the tracer in a separate process; false if none can be created. The process has no exit
 * signal, so it is invisible to waitpid(-1) and sends no SIGCHLD (clone(2)). */
static bool run_apart(linux_tracer *self)
{
    unsigned char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    siginfo_t end = {.si_pid = 0};
    pid_t process = -1;
    int pidfd = -1;

    if (stack == MAP_FAILED) {
        goto done;
    }
    ASAN_UNPOISON_MEMORY_REGION(stack, STACK_SIZE);
    mprotect(stack, 4096, PROT_NONE); /* a guard, if pages are that small */
    process = clone(apart_main, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_PIDFD,
                    self, &pidfd);
    if (process > 0) {
        atomic_i32_store(&self->apart_pidfd, pidfd);
        /* syscall(), not waitid(): waitid() is a cancellation point, and it writes to the storage
         * that the separate process now uses. All signals are blocked, so no EINTR is written to
         * errno. No other way of waiting works here: the owner has checked that waitid is not
         * refused, and the stack must stay until the separate process has ended. */
        while (syscall(SYS_waitid, P_PID, process, &end, WEXITED | __WALL, NULL) < 0 &&
               errno == EINTR) {
        }
    }
    munmap(stack, STACK_SIZE);
    if (process > 0 && !self->opened && self->error.failure == LINUX_OPEN_OK) {
        linux_tracer_fail(self, LINUX_OPEN_TRACER_ENDED, NULL, 0, end.si_status);
    }
done:
    return process > 0;
}

static void *host_main(void *argument)
{
    linux_tracer *self = argument;

    self->host_id = (int32_t)syscall(SYS_gettid);
    /* The separate process inherits the name, so that messages name a tracer. */
    prctl(PR_SET_NAME, "pydbgwrite");
    if (self->apart) {
        self->apart = run_apart(self);
    }
    if (self->apart && self->error.failure == LINUX_OPEN_PERMISSION && self->child == 0) {
        /* An ancestor may still be allowed to trace (yama.ptrace_scope=1), and this thread's
         * process can be an ancestor. */
        self->apart = false;
        self->error = (linux_open_error){.failure = LINUX_OPEN_OK};
    }
    if (!self->apart) {
        trace(self);
    }
    /* From here on the process is not held, whether the release was requested or not. */
    atomic_i32_store(&self->gone, 1);
    atomic_i32_store(&self->phase, LINUX_TRACER_ENDED);
    linux_event_ring(self->answered);
    return NULL;
}

/* Starts the host with all signals blocked, so that it never handles a signal of this process. */
int linux_host_start(linux_tracer *self)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int failure = pthread_attr_init(&attributes);

    if (failure != 0) {
        goto done;
    }
    /* The stack includes thread-local storage. Only pages that are used cost memory. */
    pthread_attr_setstacksize(&attributes, 4 * STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&self->host, &attributes, host_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
done:
    return failure;
}
