/* Functions beside the caller's own work; see aside.h.
 *
 * The thread ends when it has nothing to call. As long as the caller begins the next function
 * before the last one ends, there is one thread, which never waits.
 */
#define _GNU_SOURCE 1
#include "aside.h"

#include "../forks.h"
#include "held.h"
#include "helper.h"
#include "processors.h"

static void *run(void *argument)
{
    linux_aside *self = argument;

    pthread_mutex_lock(&self->lock);
    while (self->ended != self->begun) {
        linux_aside_call call = self->calls[self->ended % POINTER_ASIDE_MOST];

        pthread_mutex_unlock(&self->lock);
        call.function(call.context);
        pthread_mutex_lock(&self->lock);
        self->ended++;
        pthread_cond_signal(&self->ended_one);
    }
    self->takes = false;
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void join(linux_aside *self)
{
    if (self->started) {
        (void)pthread_join(self->thread, NULL);
        self->started = false;
    }
}

/* Adds a call if the thread takes it. */
static bool add(linux_aside *self, linux_aside_call call)
{
    bool added;

    pthread_mutex_lock(&self->lock);
    added = self->takes;
    if (added) {
        self->calls[self->begun % POINTER_ASIDE_MOST] = call;
        self->begun++;
    }
    pthread_mutex_unlock(&self->lock);
    return added;
}

void linux_aside_init(linux_aside *self)
{
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->ended_one, NULL);
}

void linux_aside_destroy(linux_aside *self)
{
    pthread_cond_destroy(&self->ended_one);
    pthread_mutex_destroy(&self->lock);
}

HRESULT linux_aside_begin(embedded_target *self, void (*function)(void *), void *context)
{
    linux_target *process = (linux_target *)self;
    linux_aside *aside = &process->aside;
    const linux_aside_call call = {function, context};
    bool added = add(aside, call);

    if (!added) {
        join(aside); /* it has ended, or has nothing more to do */
        aside->takes = linux_processors_usable() > 1 && linux_processors_idle(process) > 0;
        added = add(aside, call);
    }
    if (added && !aside->started) {
        aside->forks = forks_seen();
        aside->started = linux_helper_start(&aside->thread, run, aside);
        if (!aside->started) {
            aside->takes = false;
            aside->begun--;
            added = false;
        }
    }
    return added ? S_OK : S_FALSE;
}

void linux_aside_end(embedded_target *self)
{
    linux_aside *aside = &((linux_target *)self)->aside;

    if (aside->forks != forks_seen()) {
        return;
    }
    pthread_mutex_lock(&aside->lock);
    while (aside->ended == aside->awaited) {
        pthread_cond_wait(&aside->ended_one, &aside->lock);
    }
    aside->awaited++;
    pthread_mutex_unlock(&aside->lock);
    if (aside->awaited == aside->begun) {
        join(aside);
    }
}
