/* Starting a program under the tracer. In the tracer, which is the only caller. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_LAUNCH_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_LAUNCH_H

#include "tracing.h"

/* Starts self->launch and stops it at exec. */
bool linux_launch_run(linux_tracer *self);

#endif
