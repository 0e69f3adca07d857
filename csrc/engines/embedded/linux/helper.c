/* Threads beside the caller's; see helper.h. */
#define _GNU_SOURCE 1
#include "helper.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

#define STACK_SIZE ((size_t)128 * 1024)

typedef struct helper {
    void *(*run)(void *);
    void *argument;
    sem_t placed;
} helper;

/* Keeps a new thread off the caller's processor. The system may put it there although another
 * processor is idle (observed with a virtual processor that was halted), and the two threads would
 * then take turns. */
static void keep_away(pthread_t thread)
{
    int current = sched_getcpu();
    cpu_set_t others;

    if (current >= 0 && current < CPU_SETSIZE &&
        sched_getaffinity(0, sizeof others, &others) == 0) {
        CPU_CLR((size_t)current, &others);
        if (CPU_COUNT(&others) > 0) {
            (void)pthread_setaffinity_np(thread, sizeof others, &others);
        }
    }
}

bool linux_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    bool started = false;

    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        started = pthread_create(thread, &attributes, run, argument) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    return started;
}

/* Does not end before the thread has its processors: those of a thread that has ended can't be set,
 * and glibc and musl would set the caller's (its id is 0 then, which means the caller). */
static void *help(void *argument)
{
    helper *self = argument;
    void *result = self->run(self->argument);

    while (sem_wait(&self->placed) != 0) {
    }
    sem_destroy(&self->placed);
    free(self);
    return result;
}

bool linux_helper_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    helper *self = malloc(sizeof *self);
    bool started = false;

    if (self != NULL) {
        self->run = run;
        self->argument = argument;
        sem_init(&self->placed, 0, 0);
        started = linux_thread_start(thread, help, self);
    }
    if (started) {
        keep_away(*thread);
        sem_post(&self->placed);
    } else if (self != NULL) {
        sem_destroy(&self->placed);
        free(self);
    }
    return started;
}
