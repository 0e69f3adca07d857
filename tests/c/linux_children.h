/* Child processes for the tests of the live Linux target. They talk over pipes; none sleeps. */
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
    int in;  /* reads from the other end */
    int out; /* writes to the other end */
} child;

/* Forks; the child runs body and exits with 0. It dies with the test. */
child child_start(void (*body)(child *self, void *context), void *context);

/* Sends one byte to the other end; waits for one and returns false if that end is closed. */
void child_say(const child *self, char word);
bool child_hear(const child *self);

/* Returns whether a child that runs child_serve() answers a byte. */
bool child_answers(const child *self);
/* The last call of a body: sends 'r', then answers every byte until the pipe closes. */
void child_serve(const child *self);

/* Kills and reaps the child if it has not ended, and closes the pipes. */
void child_stop(child *self);

/* Starts a detached thread with a small stack; returns false on failure. */
bool start_thread(void *(*body)(void *context), void *context);

/* Starts threads that only wait, each of which adds 1 to `running`, and waits until all do. */
void start_idle(atomic_i32 *running, int count);

/* Returns memory that the test shares with its children. */
void *shared_room(size_t size);

/* Returns the state letter of a process's thread (0: of the process), or 0 if it has ended. */
char state_of(pid_t process, pid_t thread);
/* Waits until the state is `wanted`; the test's alarm limits the wait. */
void await_state(pid_t process, char wanted);
/* Returns the count of threads; sets `in_state` to the count of those in `state`. */
int count_threads(pid_t process, char state, int *in_state);
/* Returns whether every thread is in a tracing stop. */
bool all_stopped(pid_t process);
/* Returns TracerPid of a thread. */
int tracer_of(pid_t thread);
int count_descriptors(void);

/* Calls linux_attach() with a time limit in milliseconds. */
embedded_target *attach_to(pid_t process, bool suspend, bool writable, unsigned limit,
                           linux_open_error *error);

#endif
