/* Tests of launching a program that is stopped at its exec. Each runs twice: with the tracer apart
 * and as a thread (tracer.h). */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/engines/embedded/linux/newer_calls.h"
#include "../../csrc/engines/embedded/linux/tracer.h"
#include "check.h"
#include "linux_children.h"

#define SHELL "/bin/sh"

static char *no_environment[] = {"MARK=here", NULL};

static embedded_target *launch_within(linux_waiting waiting, const char *path, const char *script,
                                      const char *directory, int output, linux_open_error *error)
{
    char *arguments[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    linux_launch_options options = {.path = path,
                                    .arguments = arguments,
                                    .environment = no_environment,
                                    .directory = directory,
                                    .standard = {-1, output, -1},
                                    .writable = true,
                                    .waiting = waiting};

    return linux_launch(&options, error);
}

static embedded_target *launch(const char *path, const char *script, const char *directory,
                               int output, linux_open_error *error)
{
    return launch_within((linux_waiting){.timeout_ns = UINT64_C(20000000000)}, path, script,
                         directory, output, error);
}

/* Launches a script, examines it, releases it, and checks its output and the exit status that this
 * process gets. */
static void check_output(const char *script, const char *directory, const char *wanted, int code)
{
    char text[4096];
    size_t length = 0;
    ssize_t got;
    int ends[2];
    int status = -1;
    linux_open_error error;
    embedded_target *held;
    pid_t id;

    CHECK_EQUAL(pipe2(ends, O_CLOEXEC), 0);
    held = launch(SHELL, script, directory, ends[1], &error);
    close(ends[1]);
    if (CHECK(held != NULL)) {
        id = (pid_t)held->process_id;
        CHECK_EQUAL(state_of(id, 0), 't');
        CHECK_EQUAL(held->operations->accessible(held), S_OK);
        CHECK_EQUAL(held->pointer_size, sizeof(void *));
        CHECK_EQUAL(held->operations->detach(held), S_OK);
        while (length < sizeof text - 1 &&
               (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0) {
            length += (size_t)got;
        }
        text[length] = '\0';
        if (!CHECK(strcmp(text, wanted) == 0)) {
            fprintf(stderr, "    got %s", text);
        }
        CHECK_EQUAL(waitpid(id, &status, 0), id);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
        held->operations->destroy(held);
    }
    close(ends[0]);
}

static void check_failure(const char *path, const char *directory, int output,
                          linux_open_failure failure, const char *step, int os_error)
{
    linux_open_error error;

    CHECK(launch(path, "exit 0", directory, output, &error) == NULL);
    CHECK_EQUAL(error.failure, failure);
    CHECK_EQUAL(error.os_error, os_error);
    CHECK(error.operation != NULL && strcmp(error.operation, step) == 0);
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

/* The program's image can be patched after execve and before it runs: its argument on the stack. */
static void test_patched_before_it_runs(void)
{
    linux_open_error error;
    MEMORY_BASIC_INFORMATION64 info;
    unsigned char *stack;
    uint64_t address = 0;
    size_t moved = 0;
    size_t at;
    char *map;
    char *line;
    size_t length;
    int status = -1;
    embedded_target *held = launch(SHELL, "exit 11", NULL, -1, &error);

    if (!CHECK(held != NULL)) {
        return;
    }
    CHECK_EQUAL(linux_read_maps(held, &map, &length), S_OK);
    line = strstr(map, "[stack]");
    while (line > map && line[-1] != '\n') {
        line--;
    }
    address = strtoull(line, NULL, 16);
    free(map);
    CHECK_EQUAL(held->operations->query(held, address, &info), S_OK);
    stack = malloc((size_t)info.RegionSize);
    CHECK_EQUAL(held->operations->read(held, address, stack, (size_t)info.RegionSize, &moved),
                S_OK);
    for (at = 0; at + 7 < moved && memcmp(stack + at, "exit 11", 7) != 0; at++) {
    }
    CHECK_EQUAL(held->operations->write(held, address + at, "exit 42", 7, &moved), S_OK);
    free(stack);
    held->operations->detach(held);
    CHECK_EQUAL(waitpid((pid_t)held->process_id, &status, 0), held->process_id);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    held->operations->destroy(held);
}

/* A held program that is terminated, or killed by another process, leaves nothing to reap. */
static void test_terminated(bool by_others)
{
    linux_open_error error;
    uint64_t value = 0;
    size_t moved;
    embedded_target *held = launch(SHELL, "exit 0", NULL, -1, &error);

    if (!CHECK(held != NULL)) {
        return;
    }
    if (by_others) {
        kill((pid_t)held->process_id, SIGKILL);
        while (held->operations->accessible(held) == S_OK) {
            sched_yield();
        }
        CHECK_EQUAL(held->operations->read(held, 4096, &value, 8, &moved), E_UNEXPECTED);
    } else {
        CHECK_EQUAL(held->operations->terminate(held), S_OK);
        CHECK_EQUAL(held->operations->terminate(held), S_OK);
        CHECK_EQUAL(held->operations->accessible(held), E_UNEXPECTED);
    }
    held->operations->destroy(held);
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

/* In a sandbox that forbids tracing and killing, the child waits for a word that never comes, with
 * errno set by an earlier call. The child must end by itself. */
static void test_given_up_before_it_began(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 1, 2),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINTR),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    struct rlimit processor = {60, 60}; /* ends a child that loops without end */
    linux_open_error error;
    int status = -1;
    pid_t inner;

    fflush(NULL);
    inner = fork();
    if (inner == 0) {
        check_failed = 0;
        alarm(20);
        if (setrlimit(RLIMIT_CPU, &processor) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            _exit(2);
        }
        CHECK(launch(SHELL, "exit 0", NULL, -1, &error) == NULL);
        CHECK_EQUAL(error.failure, LINUX_OPEN_PERMISSION);
        CHECK_EQUAL(error.os_error, EPERM);
        _exit(check_failed == 0 ? 0 : 1);
    }
    CHECK_EQUAL(waitpid(inner, &status, 0), inner);
    CHECK_EQUAL(status, 0);
}

/* ---- what happens to the child before its exec ------------------------------------------------
 */

#ifndef SECCOMP_RET_USER_NOTIF /* Linux 5.0 */
#define SECCOMP_RET_USER_NOTIF           0x7fc00000U
#define SECCOMP_FILTER_FLAG_NEW_LISTENER 8u
#endif

/* A system call with this value of this argument, which a filter answers; and a test of that. */
typedef struct filtered {
    long number;
    size_t argument;
    uint32_t value;
    uint32_t answer;
    void (*test)(int listener);
} filtered;

/* The child and the tracer inherit the filter of the thread that launches. */
static void *run_filtered(void *context)
{
    const filtered *call = context;
    uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) + call->argument * 8);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, call->answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    bool listens = call->answer == SECCOMP_RET_USER_NOTIF;
    int listener;

    CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                            listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);
    if (listener >= 0) {
        call->test(listener);
        CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
        if (listens) {
            close(listener);
        }
    } else { /* the filter of a container may have a listener: there can be one */
        CHECK(listens && errno == EBUSY);
    }
    return NULL;
}

static void with_filter(filtered call)
{
    pthread_t thread;
    int failure = pthread_create(&thread, NULL, run_filtered, &call);

    if (failure == 0) {
        pthread_join(thread, NULL); /* only then: it counts checks, too */
    }
    CHECK_EQUAL(failure, 0);
}

static void check_that_it_ended(int listener)
{
    (void)listener;
    check_failure(SHELL, NULL, -1, LINUX_OPEN_NO_PROCESS, "execve", ESRCH);
}

static void check_that_no_word_is_sent(int listener)
{
    (void)listener;
    check_failure(SHELL, NULL, -1, LINUX_OPEN_SYSTEM, "write", EIO);
}

/* The child waits for an answer that does not come. */
static void check_that_time_runs_out(int listener)
{
    linux_waiting waiting = {.timeout_ns = UINT64_C(20000000)};
    linux_open_error error;

    (void)listener;
    CHECK(launch_within(waiting, SHELL, "exit 0", NULL, -1, &error) == NULL);
    CHECK_EQUAL(error.failure, LINUX_OPEN_TIMEOUT);
}

#ifdef SECCOMP_IOCTL_NOTIF_RECV
typedef struct interruption {
    int listener;
    pid_t id; /* 0: not stopped yet */
} interruption;

/* Called every 50 ms: stops the child in its call, as Ctrl-Z does, resumes it, as the shell's fg
 * does, and answers the call that it then makes again. */
static bool stop_and_resume(void *context)
{
    interruption *self = context;
    struct pollfd asked = {.fd = self->listener, .events = POLLIN};
    struct seccomp_notif call;
    struct seccomp_notif_resp answer = {.error = -ENOSYS};

    memset(&call, 0, sizeof call);
    if (poll(&asked, 1, 0) > 0) {
        CHECK_EQUAL(ioctl(self->listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
        if (self->id == 0) {
            self->id = (pid_t)call.pid;
            kill(self->id, SIGSTOP);
        } else {
            answer.id = call.id;
            CHECK_EQUAL(ioctl(self->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
        }
    } else if (self->id != 0) {
        kill(self->id, SIGCONT);
    }
    return true;
}

static void check_that_it_goes_on(int listener)
{
    interruption context = {listener, 0};
    linux_waiting waiting = {
        .timeout_ns = UINT64_C(20000000000), .keep_waiting = stop_and_resume, .context = &context};
    linux_open_error error;
    embedded_target *held = launch_within(waiting, SHELL, "exit 5", NULL, -1, &error);
    int status = -1;

    if (CHECK(held != NULL)) {
        CHECK_EQUAL(held->process_id, context.id);
        CHECK_EQUAL(state_of(context.id, 0), 't');
        CHECK_EQUAL(held->operations->detach(held), S_OK);
        CHECK_EQUAL(waitpid(context.id, &status, 0), context.id);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
        held->operations->destroy(held);
    }
}

#endif

static void test_before_the_exec(void)
{
    /* What the child calls first, and what it calls when it is traced; the tracer calls neither. */
    filtered first = {SYS_prctl, 0, PR_SET_PTRACER, SECCOMP_RET_KILL_PROCESS, check_that_it_ended};
    filtered traced = {SYS_close_range, 2, CLOSE_RANGE_CLOEXEC, SECCOMP_RET_KILL_PROCESS,
                       check_that_it_ended};

    with_filter(first);
    with_filter(traced);
    with_filter((filtered){SYS_write, 2, 1, SECCOMP_RET_ERRNO | EIO, check_that_no_word_is_sent});
    first.answer = traced.answer = SECCOMP_RET_USER_NOTIF;
    first.test = traced.test = check_that_time_runs_out;
    with_filter(first);
    with_filter(traced);
#ifdef SECCOMP_IOCTL_NOTIF_RECV
    traced.test = check_that_it_goes_on;
    with_filter(traced);
#endif
}

int main(void)
{
    /* The caller may make this program ignore signals, which launched programs would inherit. */
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    int descriptors;
    int never;

    alarm(60);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    descriptors = count_descriptors();
    test_given_up_before_it_began();
    for (never = 0; never < 2; never++) {
        int extra = open("/dev/null", O_RDONLY);

        linux_tracer_never_apart(never != 0);
        check_output("echo out; exit 3", NULL, "out\n", 3);
        check_output("pwd; echo $MARK", "/usr", "/usr\nhere\n", 0);
        /* Only the passed descriptors and the directory that the shell lists are open. */
        check_output("cd /proc/self/fd && echo *", NULL, "0 1 2 3\n", 0);
        /* SIGPIPE and SIGXFSZ are restored; SIGHUP stays ignored; no signal is blocked. */
        /* posix_spawn(3) of glibc, which may have started this program, ignores signal 32. */
        check_output("sed -n 's/^\\(Sig[BI][lg][kn]:\\t00000000\\)[08]/\\10/p' /proc/self/status",
                     NULL, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n", 0);
        check_failure("/nonexistent/program", NULL, -1, LINUX_OPEN_EXEC, "execve", ENOENT);
        check_failure("/etc/passwd", NULL, -1, LINUX_OPEN_EXEC, "execve", EACCES);
        check_failure(SHELL, "/nonexistent", -1, LINUX_OPEN_EXEC, "chdir", ENOENT);
        check_failure(SHELL, NULL, 987, LINUX_OPEN_EXEC, "dup2", EBADF);
        test_patched_before_it_runs();
        test_terminated(false);
        test_terminated(true);
        test_before_the_exec();
        close(extra);
    }
    CHECK_EQUAL(count_descriptors(), descriptors);
    return check_report();
}
