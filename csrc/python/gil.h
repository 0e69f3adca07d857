/* Releasing the GIL around an engine's calls, and asking meanwhile whether to keep waiting. */
#ifndef PYDBGWRITE_PYTHON_GIL_H
#define PYDBGWRITE_PYTHON_GIL_H

#include <stdbool.h>

/* Called in pairs, in one thread. */
void gil_release(void);
void gil_take(void);

/* Handles signals, in the thread that released the GIL. False: a handler has raised (Ctrl-C), and
 * the exception is set. True also if this thread did not release it by gil_release(). */
bool gil_goes_on(void);

#endif
