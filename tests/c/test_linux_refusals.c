/* Tests of the openings of a live Linux process that are refused, each with its reason. */
#define _GNU_SOURCE 1
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/base/atomics.h"
#include "check.h"
#include "linux_children.h"

#define LIMIT 20000u

static void check_no_opening(pid_t id, linux_open_failure failure, int64_t detail)
{
    linux_open_error error;

    CHECK(attach_to(id, true, true, LIMIT, &error) == NULL);
    CHECK_EQUAL(error.failure, failure);
    CHECK_EQUAL(error.detail, detail);
    CHECK(attach_to(id, false, true, LIMIT, &error) == NULL);
    CHECK_EQUAL(error.failure, failure);
}

static void end_at_once(child *self, void *context)
{
    (void)self;
    (void)context;
}

static void *idle(void *context)
{
    atomic_i32_store(context, (int32_t)syscall(SYS_gettid));
    for (;;) {
        pause();
    }
    return NULL;
}

static void two_threads(child *self, void *context)
{
    start_thread(idle, context);
    while (atomic_i32_load(context) == 0) {
        sched_yield();
    }
    child_serve(self);
}

static void test_refusals(void)
{
    atomic_i32 *thread = shared_room(sizeof *thread);
    child dead = child_start(end_at_once, NULL);
    child two = child_start(two_threads, thread);
    int reaped = dead.id;
    siginfo_t info;

    check_no_opening(getpid(), LINUX_OPEN_OWN_PROCESS, 0);
    check_no_opening(0, LINUX_OPEN_NO_PROCESS, 0);
    check_no_opening(-1, LINUX_OPEN_NO_PROCESS, 0);
    check_no_opening(INT32_MAX, LINUX_OPEN_NO_PROCESS, 0);
    /* Its last thread, too, has ended: a sanitizer may have one in each process. */
    CHECK_EQUAL(waitid(P_PID, (id_t)dead.id, &info, WEXITED | WNOWAIT), 0);
    check_no_opening(dead.id, LINUX_OPEN_ZOMBIE, 0);
    child_stop(&dead);
    check_no_opening(reaped, LINUX_OPEN_NO_PROCESS, 0);
    if (access("/proc/2/stat", F_OK) == 0 && readlink("/proc/2/exe", (char[8]){0}, 8) < 0) {
        check_no_opening(2, LINUX_OPEN_KERNEL_THREAD, 0);
    }
    CHECK(child_hear(&two));
    check_no_opening(atomic_i32_load(thread), LINUX_OPEN_NOT_A_PROCESS, two.id);
    child_stop(&two);
}

static int wait_for_word(void *context)
{
    child *self = context;

    child_say(self, 'r');
    return child_hear(self) ? 0 : 1;
}

/* A process that shares this process's memory is refused: a write to it changes this process. */
static void test_our_memory(void)
{
    enum { STACK = 65536 };
    unsigned char *stack = malloc(STACK);
    int up[2], down[2];
    child inner = {.id = 0}, mine = {.id = 0};

    CHECK(stack != NULL && pipe(up) == 0 && pipe(down) == 0);
    inner.in = down[0];
    inner.out = up[1];
    mine.in = up[0];
    mine.out = down[1];
    mine.id = clone(wait_for_word, stack + STACK, CLONE_VM | SIGCHLD, &inner);
    CHECK(mine.id > 0 && child_hear(&mine));
    check_no_opening(mine.id, LINUX_OPEN_OWN_PROCESS, 0);
    child_say(&mine, 'x');
    child_stop(&mine);
    close(inner.in);
    close(inner.out);
    free(stack);
}

int main(void)
{
    alarm(120);
    test_refusals();
    if (!CHECK_THREAD_SANITIZER) { /* it treats every clone() as a fork into separate memory */
        test_our_memory();
    }
    return check_report();
}
