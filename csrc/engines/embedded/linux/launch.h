/* Starting a program under the tracer. In the tracer, which is the only caller. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_LAUNCH_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_LAUNCH_H

#include "tracing.h"

/* Starts self->launch and stops it at exec. */
bool linux_launch_run(linux_tracer *self);

/* Closes what is still open of them: a tracer that was killed has not done so. */
void linux_launch_close(linux_launch_pipes *ends);

#endif
