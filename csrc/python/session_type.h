/* The type behind pydbgwrite.Session. */
#ifndef PYDBGWRITE_PYTHON_SESSION_TYPE_H
#define PYDBGWRITE_PYTHON_SESSION_TYPE_H

#include "python.h"

#include <stdbool.h>

/* Adds the type to the module and to its state. False: an exception is set. */
bool session_type_add(PyObject *module);

#endif
