/* The raw layer: session.data_spaces, IDebugDataSpaces4 one to one. */
#ifndef PYDBGWRITE_PYTHON_DATA_SPACES_H
#define PYDBGWRITE_PYTHON_DATA_SPACES_H

#include "session.h"

/* Adds the types to the module and to its state. False: an exception is set. */
bool data_spaces_add_types(PyObject *module);

/* Returns the raw layer of a session, which it keeps alive. NULL: an exception is set. */
PyObject *data_spaces_create(session_object *session);

#endif
