/* Starts a program under the tracer. All of it runs in the tracer, which is the only caller. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_LAUNCH_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_LAUNCH_H

#include "tracing.h"

/* Starts self->launch and stops it at its exec. False if that failed. */
bool linux_launch_run(linux_tracer *self);

/* Closes the descriptors that are still open: a killed tracer has not closed them. */
void linux_launch_close(linux_launch_pipes *ends);

#endif
