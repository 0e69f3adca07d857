/* Opening a session over an engine that another package started. */
#ifndef PYDBGWRITE_PYTHON_OPENING_WRAPPED_H
#define PYDBGWRITE_PYTHON_OPENING_WRAPPED_H

#include "../python.h"

/* wrap(type, address, writable) -> (session, address of its engine's code). */
PyObject *open_wrapped(PyObject *module, PyObject *arguments);

#endif
