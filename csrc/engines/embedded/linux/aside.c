/* A function beside the caller's own work; see aside.h. */
#define _GNU_SOURCE 1
#include "aside.h"

#include "../forks.h"
#include "held.h"
#include "helper.h"
#include "processors.h"

static void *run(void *argument)
{
    const linux_aside *self = argument;

    self->function(self->context);
    return NULL;
}

HRESULT linux_aside_begin(embedded_target *self, void (*function)(void *), void *context)
{
    linux_target *process = (linux_target *)self;
    linux_aside *aside = &process->aside;
    bool begun = linux_processors_usable() > 1 && linux_processors_idle(process) > 0;

    aside->function = function;
    aside->context = context;
    aside->forks = forks_seen();
    return begun && linux_helper_start(&aside->thread, run, aside) ? S_OK : S_FALSE;
}

void linux_aside_end(embedded_target *self)
{
    const linux_aside *aside = &((linux_target *)self)->aside;

    if (aside->forks == forks_seen()) {
        (void)pthread_join(aside->thread, NULL);
    }
}
