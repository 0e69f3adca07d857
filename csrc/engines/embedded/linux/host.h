/* The host of a tracer: the thread that its owner starts for it. See tracer.h. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HOST_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HOST_H

#include "tracer.h"

/* Starts self->host, which runs the tracer, apart from this process if self->apart says so and the
 * kernel lets it. 0 or an errno. */
int linux_host_start(linux_tracer *self);

/* The bells of the channel, both ways (eventfd(2)): add to one; take what was added. */
void linux_event_ring(int event);
void linux_event_hush(int event);

#endif
