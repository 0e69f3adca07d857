/* Opening simulated memory, and making it fail on demand. */
#ifndef PYDBGWRITE_PYTHON_OPENING_SIMULATED_H
#define PYDBGWRITE_PYTHON_OPENING_SIMULATED_H

#include "../arguments.h"

/* simulate(type, regions, pointer_size, writable): regions is a list of (base, size, protection
 * 0..2), in ascending order without overlaps; the Python side checks that. */
PyObject *open_simulated(PyObject *module, PyObject *arguments);

/* Session._inject_fault */
KEYWORD_METHOD(session_inject_fault);

#endif
