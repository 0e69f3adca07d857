/* Tests of stopping a process that changes all the time: threads that start threads, an execve in a
 * second thread, the end of all threads or of the first at any moment. Each runs twice: with the
 * tracer apart and as a thread (tracer.h). */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../csrc/base/atomics.h"
#include "../../csrc/engines/embedded/linux/tracer.h"
#include "check.h"
#include "linux_children.h"

#define LIMIT 20000u

static volatile uint64_t word; /* at the same address in every child */

static bool write_word(embedded_target *to, uint64_t value)
{
    size_t moved = 0;

    return to->operations->write(to, (uint64_t)(uintptr_t)&word, &value, sizeof value, &moved) ==
               S_OK &&
           moved == sizeof value;
}

/* Threads that start threads: one starts many, or each starts the next one and ends. */
static void *breed_one(void *context)
{
    atomic_i32_add(context, 1);
    return NULL;
}

static void *breed(void *context)
{
    for (;;) {
        start_thread(breed_one, context);
    }
    return NULL;
}

static void *pass_baton(void *context)
{
    atomic_i32_add(context, 1);
    while (!start_thread(pass_baton, context)) {
        sched_yield();
    }
    return NULL;
}

static void breed_for_ever(child *self, void *context)
{
    start_thread(breed, context);
    start_thread(breed, context);
    child_serve(self);
}

static void pass_for_ever(child *self, void *context)
{
    int number;

    for (number = 0; number < 3; number++) {
        start_thread(pass_baton, context);
    }
    child_serve(self);
}

static void test_breeding(void (*body)(child *self, void *context), int rounds)
{
    atomic_i32 *born = shared_room(sizeof *born);
    child one = child_start(body, born);
    linux_open_error error;
    embedded_target *held;
    int before;

    CHECK(child_hear(&one));
    while (rounds-- > 0) {
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        before = atomic_i32_load(born);
        CHECK(all_stopped(one.id));
        CHECK(write_word(held, (uint64_t)rounds));
        CHECK_EQUAL(atomic_i32_load(born), before);
        held->operations->destroy(held);
        while (atomic_i32_load(born) == before) {
            sched_yield();
        }
    }
    child_stop(&one);
}

/* A process whose second thread repeats execve. */
static void *exec_again(void *context)
{
    char *arguments[] = {"test_linux_storm", "exec-again", NULL};

    (void)context;
    execv("/proc/self/exe", arguments);
    _exit(1);
}

static void exec_for_ever(child *self, void *context)
{
    child_say(self, 'r');
    exec_again(context);
}

static void test_exec_storm(void)
{
    child one = child_start(exec_for_ever, NULL);
    linux_open_error error;
    struct timespec begin;
    struct timespec end;
    embedded_target *held;
    int stuck = 0;
    int rounds = check_rounds(200);
    int round;

    CHECK(child_hear(&one));
    for (round = 0; round < rounds; round++) {
        clock_gettime(CLOCK_MONOTONIC, &begin);
        held = attach_to(one.id, true, true, LIMIT, &error);
        clock_gettime(CLOCK_MONOTONIC, &end);
        stuck += end.tv_sec - begin.tv_sec >= 2;
        if (!CHECK(held != NULL)) {
            printf("    failure %d %s %d\n", (int)error.failure,
                   error.operation == NULL ? "" : error.operation, error.os_error);
            break;
        }
        CHECK(all_stopped(one.id));
        held->operations->destroy(held);
    }
    printf("exec storm: %d of %d were stuck\n", stuck, round);
    CHECK_EQUAL(waitpid(one.id, NULL, WNOHANG), 0);
    child_stop(&one);
}

/* If the process ends at any moment of the opening, the opening returns in time and the parent gets
 * the exit status. */
static void end_after(child *self, void *context)
{
    atomic_i32 running = {0};
    volatile int turns = *(int *)context;

    start_idle(&running, 3);
    child_say(self, 'r');
    while (turns-- > 0) {
    }
    _exit(7);
}

static void test_death_while_opening(void)
{
    linux_open_error error;
    int rounds = check_rounds(300);
    int round;
    int held_count = 0;

    for (round = 0; round < rounds; round++) {
        int turns = round * (300000 / rounds);
        child one = child_start(end_after, &turns);
        int status = 0;
        embedded_target *held;

        child_hear(&one);
        alarm(10);
        held = attach_to(one.id, true, true, LIMIT, &error);
        if (held != NULL) {
            held_count++;
            held->operations->destroy(held);
        } else {
            CHECK(error.failure == LINUX_OPEN_NO_PROCESS || error.failure == LINUX_OPEN_ZOMBIE);
        }
        CHECK_EQUAL(waitpid(one.id, &status, 0), one.id);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        one.id = -1;
        child_stop(&one);
    }
    printf("death while opening: held %d of %d\n", held_count, rounds);
    alarm(120);
}

/* If the first thread ends at any moment of the opening, the process is held by its other threads.
 */
static void *serve(void *context)
{
    child_serve(context);
    _exit(0);
}

static void end_first_thread(child *self, void *context)
{
    volatile int turns = *(int *)context;

    child_say(self, 'r');
    child_hear(self);
    while (turns-- > 0) {
    }
    start_thread(serve, self);
    syscall(SYS_exit, 0);
}

static void test_first_thread_ends_while_opening(void)
{
    linux_open_error error;
    int rounds = check_rounds(400);
    int round;

    for (round = 0; round < rounds; round++) {
        int turns = round * (400 / rounds) % 200 * 500;
        child one = child_start(end_first_thread, &turns);
        embedded_target *held;

        child_hear(&one);
        child_say(&one, 'x');
        alarm(60);
        held = attach_to(one.id, round % 4 != 0, true, 5000, &error);
        if (CHECK(held != NULL)) {
            CHECK(write_word(held, (uint64_t)round));
            held->operations->destroy(held);
        } else {
            printf("    failure %d %s %d\n", (int)error.failure, error.operation, error.os_error);
        }
        CHECK(child_hear(&one));
        child_stop(&one);
    }
    alarm(120);
}

int main(int count, char **arguments)
{
    int never;

    if (count > 1 && strcmp(arguments[1], "exec-again") == 0) {
        atomic_i32 running = {0};

        start_idle(&running, 3);
        start_thread(exec_again, NULL);
        for (;;) {
            pause();
        }
    }
    for (never = 0; never < 2; never++) {
        linux_tracer_never_apart(never != 0);
        alarm(120);
        test_breeding(breed_for_ever, check_rounds(100));
        test_breeding(pass_for_ever, check_rounds(50));
        test_exec_storm();
        test_death_while_opening();
        test_first_thread_ends_while_opening();
    }
    return check_report();
}
