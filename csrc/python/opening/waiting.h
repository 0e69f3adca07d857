/* Waiting for the target while a session is opened: about every 50 ms Ctrl-C may end the wait. */
#ifndef PYDBGWRITE_PYTHON_OPENING_WAITING_H
#define PYDBGWRITE_PYTHON_OPENING_WAITING_H

#include "../python.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct opening_waiting {
    PyThreadState *released; /* set it by PyEval_SaveThread(), and restore its value afterwards */
} opening_waiting;

/* Called while the GIL is released, with an opening_waiting. False: an exception is set. */
bool opening_goes_on(void *waiting);

/* Returns seconds as nanoseconds; infinity and more than a century wait without a limit. */
uint64_t opening_nanoseconds(double seconds);

#endif
