/* Child processes for the tests of the live Linux target: they talk over pipes, nobody sleeps. */
#ifndef PYDBGWRITE_TESTS_LINUX_CHILDREN_H
#define PYDBGWRITE_TESTS_LINUX_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../csrc/base/atomics.h"
#include "../../csrc/engines/embedded/linux/target_linux.h"

typedef struct child {
    pid_t id;
    int in;  /* what the other end says */
    int out; /* what the other end hears */
} child;

/* Forks; the child runs body and exits with 0. It dies with the test. */
child child_start(void (*body)(child *self, void *context), void *context);

/* One byte to the other end; and waiting for one: false when that end is closed. */
void child_say(const child *self, char word);
bool child_hear(const child *self);

/* Asks a child that runs child_serve() for a sign of life. */
bool child_answers(const child *self);
/* The body's end: says 'r', then answers every byte until the pipe closes. */
void child_serve(const child *self);

/* Kills and reaps it if it is still there, closes the pipes. */
void child_stop(child *self);

/* Starts a thread with a small stack that never comes back; false when that failed. */
bool start_thread(void *(*body)(void *context), void *context);

/* Starts threads that only wait, each of which adds 1 to `running`, and waits until all do. */
void start_idle(atomic_i32 *running, int count);

/* Memory that the test shares with its children. */
void *shared_room(size_t size);

/* The state letter of a process's thread (0: of the process), 0 when it has gone. */
char state_of(pid_t process, pid_t thread);
/* Waits until it is `wanted`; bounded by the test's alarm. */
void await_state(pid_t process, char wanted);
/* How many threads it has, and how many of them are in `state`. */
int count_threads(pid_t process, char state, int *in_state);
/* Every thread is in a tracing stop. */
bool all_stopped(pid_t process);
/* TracerPid of a thread. */
int tracer_of(pid_t thread);
int count_descriptors(void);

/* linux_attach() with a time limit in milliseconds. */
embedded_target *attach_to(pid_t process, bool suspend, bool writable, unsigned limit,
                           linux_open_error *error);

#endif
