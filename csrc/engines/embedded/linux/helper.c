/* Threads beside the caller's; see helper.h. */
#define _GNU_SOURCE 1
#include "helper.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>

#define STACK_SIZE ((size_t)128 * 1024)

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

bool linux_helper_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    bool started = linux_thread_start(thread, run, argument);

    if (started) {
        keep_away(*thread);
    }
    return started;
}
