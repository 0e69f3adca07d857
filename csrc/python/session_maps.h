/* Session._read_maps. */
#ifndef PYDBGWRITE_PYTHON_SESSION_MAPS_H
#define PYDBGWRITE_PYTHON_SESSION_MAPS_H

#include "python.h"

PyObject *session_read_maps(PyObject *self, PyObject *unused);

#endif
