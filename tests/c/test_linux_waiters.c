/* Another thread of this process waits for the child that is attached to. Popen.wait() would take a
 * reported stop for the child's end. With the tracer apart no stop is reported to the thread, which
 * the test checks; with the tracer as a thread the test prints the count of reported stops. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/base/atomics.h"
#include "../../csrc/engines/embedded/linux/tracer.h"
#include "check.h"
#include "linux_children.h"

typedef struct waiter {
    pid_t id; /* -1: any child */
    int options;
    atomic_i32 begun;
    atomic_i32 enough;
    atomic_i32 stops;
    int final; /* the exit status, if the waiter got it */
    bool ended;
} waiter;

static void serve(child *self, void *context)
{
    (void)context;
    child_serve(self);
}

static void *wait_all_the_time(void *context)
{
    waiter *self = context;
    int status = 0;
    pid_t got;

    atomic_i32_store(&self->begun, 1);
    while (atomic_i32_load(&self->enough) == 0) {
        got = waitpid(self->id, &status, self->options);
        if (got > 0 && WIFSTOPPED(status)) {
            atomic_i32_add(&self->stops, 1);
        } else if (got > 0) {
            self->final = status;
            self->ended = true;
            break;
        } else if (got < 0 && errno != EINTR) {
            break;
        }
    }
    return NULL;
}

/* Returns the count of stops that the waiter got. */
static int measure(bool any, int options)
{
    child one = child_start(serve, NULL);
    waiter self = {.id = any ? -1 : one.id, .options = options};
    linux_open_error error;
    pthread_t thread;
    int rounds = check_rounds(2000);
    int round;
    embedded_target *held;

    CHECK(child_hear(&one));
    pthread_create(&thread, NULL, wait_all_the_time, &self);
    while (atomic_i32_load(&self.begun) == 0) {
        sched_yield();
    }
    for (round = 0; round < rounds; round++) {
        held = attach_to(one.id, true, true, 20000, &error);
        if (!CHECK(held != NULL)) {
            break;
        }
        held->operations->destroy(held);
    }
    CHECK(child_answers(&one));
    /* The child is killed while it is held: the waiter gets its end at once. */
    held = attach_to(one.id, true, true, 20000, &error);
    CHECK(held != NULL);
    kill(one.id, SIGKILL);
    pthread_join(thread, NULL);
    CHECK(self.ended && WIFSIGNALED(self.final) && WTERMSIG(self.final) == SIGKILL);
    held->operations->destroy(held);
    one.id = -1;
    child_stop(&one);
    return atomic_i32_load(&self.stops);
}

int main(void)
{
    int never;

    for (never = 0; never < 2; never++) {
        int seen[3];

        linux_tracer_never_apart(never != 0);
        alarm(120);
        seen[0] = measure(false, 0);
        seen[1] = measure(true, 0);
        seen[2] = measure(false, WNOHANG);
        if (never == 0 && !CHECK_THREAD_SANITIZER) { /* with it the tracer is never apart */
            CHECK_EQUAL(seen[0], 0);
            CHECK_EQUAL(seen[1], 0);
            CHECK_EQUAL(seen[2], 0);
        }
        printf("tracer %s: of %d attachments a stop was shown to waitpid(pid) %d times, to "
               "waitpid(-1) %d, to polling %d\n",
               never == 0 ? "apart" : "as a thread", check_rounds(2000), seen[0], seen[1], seen[2]);
    }
    return check_report();
}
