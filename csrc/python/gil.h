/* Letting the GIL go around an engine's calls, and asking meanwhile whether to wait on. */
#ifndef PYDBGWRITE_PYTHON_GIL_H
#define PYDBGWRITE_PYTHON_GIL_H

#include <stdbool.h>

/* In pairs, in one thread. */
void gil_release(void);
void gil_take(void);

/* Handles signals, in the thread that let the GIL go. False: a handler has raised (Ctrl-C), and the
 * exception is set. True also where this thread did not let it go by gil_release(). */
bool gil_goes_on(void);

#endif
