/* The host of a tracer: the thread that its owner starts for it. See tracer.h. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HOST_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HOST_H

#include "tracing.h"

/* Starts self->host, which runs the tracer, in a separate process if self->apart is set and the
 * kernel permits it. Returns 0 or an errno. */
int linux_host_start(linux_tracer *self);

#endif
