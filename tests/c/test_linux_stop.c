/* Tests of suspending and releasing a process. Each runs twice: with the tracer apart and as a
 * thread (tracer.h). They check the sentences on stopping. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/base/atomics.h"
#include "../../csrc/engines/embedded/linux/tracer.h"
#include "check.h"
#include "linux_children.h"

#define LIMIT 20000u

static volatile uint64_t word; /* at the same address in every child */

static void serve_with_eight(child *self, void *context)
{
    atomic_i32 running = {0};

    (void)context;
    start_idle(&running, 7);
    child_serve(self);
}

static bool write_word(embedded_target *to, uint64_t value)
{
    size_t moved = 0;

    return to->operations->write(to, (uint64_t)(uintptr_t)&word, &value, sizeof value, &moved) ==
               S_OK &&
           moved == sizeof value;
}

static void test_killed_while_held(void)
{
    child one = child_start(serve_with_eight, NULL);
    linux_open_error error;
    int status = 0;
    embedded_target *held;

    CHECK(child_hear(&one));
    held = attach_to(one.id, true, true, LIMIT, &error);
    if (CHECK(held != NULL)) {
        CHECK(all_stopped(one.id));
        CHECK(write_word(held, 1));
        CHECK_EQUAL(waitpid(one.id, &status, WNOHANG), 0);
        alarm(10);
        kill(one.id, SIGKILL);
        CHECK_EQUAL(waitpid(one.id, &status, 0), one.id);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        alarm(120);
        one.id = -1;
        CHECK_EQUAL(held->operations->accessible(held), E_UNEXPECTED);
        CHECK(!write_word(held, 2));
        CHECK_EQUAL(held->operations->detach(held), S_OK);
        held->operations->destroy(held);
    }
    child_stop(&one);
}

/* The target's parent, which is a child of the test, waits in waitpid(). */
static void be_waiting_parent(child *self, void *context)
{
    child inner = child_start(serve_with_eight, NULL);
    int status = -1;

    child_hear(&inner);
    *(volatile pid_t *)context = inner.id;
    child_say(self, 'r');
    if (waitpid(inner.id, &status, 0) == inner.id && WIFSIGNALED(status)) {
        child_say(self, 'k');
    }
}

static void test_foreign_parent(void)
{
    volatile pid_t *id = shared_room(sizeof *id);
    child parent = child_start(be_waiting_parent, (void *)(uintptr_t)id);
    linux_open_error error;
    embedded_target *held;

    CHECK(child_hear(&parent));
    held = attach_to(*id, true, true, LIMIT, &error);
    if (CHECK(held != NULL)) {
        CHECK(all_stopped(*id));
        alarm(10);
        kill(*id, SIGKILL);
        CHECK(child_hear(&parent)); /* while the target is still held here */
        alarm(120);
        held->operations->destroy(held);
    }
    child_stop(&parent);
}

static void test_group_stop(void)
{
    child one = child_start(serve_with_eight, NULL);
    linux_open_error error;
    int status;
    int round;
    embedded_target *held;

    CHECK(child_hear(&one));
    for (round = 0; round < 20; round++) {
        /* A process that is stopped before the attach stays stopped. */
        kill(one.id, SIGSTOP);
        CHECK_EQUAL(waitpid(one.id, &status, WUNTRACED), one.id);
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        CHECK(all_stopped(one.id));
        held->operations->destroy(held);
        await_state(one.id, 'T');
        /* A process that is continued while held runs after the release. */
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        kill(one.id, SIGCONT);
        CHECK(all_stopped(one.id));
        held->operations->destroy(held);
        CHECK(child_answers(&one));
        /* A process that is stopped while held stays stopped until SIGCONT. */
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        kill(one.id, SIGSTOP);
        held->operations->destroy(held);
        await_state(one.id, 'T');
        kill(one.id, SIGCONT);
        CHECK(child_answers(&one));
        while (waitpid(one.id, &status, WUNTRACED | WNOHANG) > 0) {
        }
    }
    child_stop(&one);
}

/* Queued signals, each of which must arrive exactly once. */
static atomic_i32 *signals_seen;

static void on_signal(int number)
{
    (void)number;
    atomic_i32_add(signals_seen, 1);
}

static void serve_signals(child *self, void *context)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigaction(SIGRTMIN, &action, NULL);
    serve_with_eight(self, context);
}

static void send_signals(child *self, void *context)
{
    const pid_t *id = context;
    union sigval none = {.sival_int = 0};
    int sent;

    child_say(self, 'r');
    for (sent = 0; sent < 20000; sent++) {
        while (sigqueue(*id, SIGRTMIN, none) != 0) {
            sched_yield(); /* the queue is full */
        }
    }
    child_say(self, 'd');
}

static void test_signals_arrive(void)
{
    child one;
    child sender;
    linux_open_error error;
    int attached = 0;
    embedded_target *held;

    signals_seen = shared_room(sizeof *signals_seen);
    one = child_start(serve_signals, NULL);
    CHECK(child_hear(&one));
    sender = child_start(send_signals, &one.id);
    CHECK(child_hear(&sender));
    while (atomic_i32_load(signals_seen) < 19000 && attached < 3000) {
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        held->operations->destroy(held);
        attached++;
    }
    CHECK(child_hear(&sender));
    alarm(20);
    while (atomic_i32_load(signals_seen) != 20000) {
        sched_yield();
    }
    alarm(120);
    CHECK(child_answers(&one));
    child_stop(&sender);
    child_stop(&one);
}

/* An owner that attaches (or launches) and is killed. */
typedef struct owned {
    pid_t target;
    bool never_apart;
} owned;

static void own(child *self, void *context)
{
    owned *what = context;
    linux_open_error error;

    linux_tracer_never_apart(what->never_apart);
    if (attach_to(what->target, true, true, LIMIT, &error) != NULL) {
        child_say(self, 'r');
        child_hear(self);
    }
}

static void test_owner_killed(bool never_apart)
{
    child one = child_start(serve_with_eight, NULL);
    owned what = {.target = one.id, .never_apart = never_apart};
    child owner;

    CHECK(child_hear(&one));
    owner = child_start(own, &what);
    CHECK(child_hear(&owner));
    CHECK(all_stopped(one.id));
    child_stop(&owner);
    alarm(10);
    CHECK(child_answers(&one));
    while (tracer_of(one.id) != 0) {
        sched_yield();
    }
    alarm(120);
    child_stop(&one);
}

/* A forked child of the owner closes its copy; it must neither hang nor release the target. */
static void test_forked_owner(void)
{
    child one = child_start(serve_with_eight, NULL);
    linux_open_error error;
    int status = -1;
    pid_t copy;
    embedded_target *held;

    CHECK(child_hear(&one));
    held = attach_to(one.id, true, true, LIMIT, &error);
    if (CHECK(held != NULL)) {
        fflush(NULL);
        copy = fork();
        if (copy == 0) {
            alarm(10);
            held->operations->detach(held);
            held->operations->terminate(held);
            held->operations->destroy(held);
            _exit(0);
        }
        CHECK_EQUAL(waitpid(copy, &status, 0), copy);
        CHECK_EQUAL(status, 0);
        CHECK(all_stopped(one.id));
        CHECK(write_word(held, 5));
        held->operations->destroy(held);
        CHECK(child_answers(&one));
    }
    child_stop(&one);
}

/* A thread that waits in vfork() can't be stopped. */
static void *wait_in_vfork(void *context)
{
    atomic_i32 *state = context;
    pid_t inner = vfork();

    if (inner == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        atomic_i32_store(state, getpid());
        for (;;) {
            pause();
        }
    }
    return NULL;
}

static void serve_with_vfork(child *self, void *context)
{
    atomic_i32 running = {0};

    start_idle(&running, 5);
    start_thread(wait_in_vfork, context);
    while (atomic_i32_load(context) == 0) {
        sched_yield();
    }
    child_serve(self);
}

static bool give_up(void *context)
{
    *(int *)context += 1;
    return false;
}

static void test_unstoppable(void)
{
    atomic_i32 *inner = shared_room(sizeof *inner);
    child one = child_start(serve_with_vfork, inner);
    linux_open_error error = {.failure = LINUX_OPEN_OK};
    linux_attach_options options = {.process_id = one.id, .suspend = true, .writable = true};
    int asked = 0;
    int stopped;

    CHECK(child_hear(&one));
    CHECK(attach_to(one.id, true, true, 200, &error) == NULL);
    CHECK_EQUAL(error.failure, LINUX_OPEN_TIMEOUT);
    CHECK_EQUAL(state_of(one.id, (pid_t)error.detail), 'D');
    CHECK_EQUAL(tracer_of((pid_t)error.detail), 0);
    CHECK_EQUAL(tracer_of(one.id), 0);
    CHECK(child_answers(&one));
    options.waiting.timeout_ns = UINT64_MAX;
    options.waiting.keep_waiting = give_up;
    options.waiting.context = &asked;
    CHECK(linux_attach(&options, &error) == NULL);
    CHECK_EQUAL(error.failure, LINUX_OPEN_CANCELLED);
    CHECK_EQUAL(asked, 1);
    CHECK(child_answers(&one));
    count_threads(one.id, 't', &stopped);
    CHECK_EQUAL(stopped, 0);
    kill((pid_t)atomic_i32_load(inner), SIGKILL);
    child_stop(&one);
}

/* A kernel before 6.9 has no pidfd of a thread; the tracer polls. */
static void test_older_kernel(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_EXCL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    int status = -1;
    pid_t inner;

    fflush(NULL);
    inner = fork();
    if (inner == 0) {
        check_failed = 0;
        alarm(30);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            _exit(2);
        }
        test_killed_while_held();
        test_foreign_parent();
        test_group_stop();
        _exit(check_failed == 0 ? 0 : 1);
    }
    CHECK_EQUAL(waitpid(inner, &status, 0), inner);
    CHECK_EQUAL(status, 0);
}

static void test_no_leak(void)
{
    child one = child_start(serve_with_eight, NULL);
    linux_open_error error;
    int descriptors = count_descriptors();
    int ignored;
    int threads = count_threads(getpid(), 'R', &ignored);
    int rounds = check_rounds(1000);
    int round;
    embedded_target *held;

    CHECK(child_hear(&one));
    for (round = 0; round < rounds; round++) {
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        held->operations->detach(held);
        CHECK_EQUAL(count_threads(getpid(), 'R', &ignored), threads);
        held->operations->destroy(held);
    }
    CHECK_EQUAL(tracer_of(one.id), 0);
    CHECK_EQUAL(count_descriptors(), descriptors);
    errno = 0;
    CHECK(child_answers(&one));
    child_stop(&one);
    CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
}

int main(void)
{
    int never;

    for (never = 0; never < 2; never++) {
        linux_tracer_never_apart(never != 0);
        alarm(120);
        test_killed_while_held();
        test_foreign_parent();
        test_group_stop();
        if (!CHECK_THREAD_SANITIZER) { /* it drops queued signals and turns vfork() into fork() */
            test_signals_arrive();
            test_unstoppable();
        }
        test_owner_killed(never != 0);
        test_forked_owner();
        test_older_kernel();
        test_no_leak();
    }
    return check_report();
}
