/* Opening a session over an engine that another package started. */
#ifndef PYDBGWRITE_PYTHON_OPENING_WRAPPED_H
#define PYDBGWRITE_PYTHON_OPENING_WRAPPED_H

#include "../python.h"

/* wrap(type, address, writable) -> (session, where its engine's code is). */
PyObject *open_wrapped(PyObject *module, PyObject *arguments);

#endif
