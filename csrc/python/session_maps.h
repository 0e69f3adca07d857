/* The kernel's information on a Linux process: Session._read_maps and Session._open_folder. */
#ifndef PYDBGWRITE_PYTHON_SESSION_MAPS_H
#define PYDBGWRITE_PYTHON_SESSION_MAPS_H

#include "python.h"

PyObject *session_read_maps(PyObject *self, PyObject *unused);
PyObject *session_open_folder(PyObject *self, PyObject *of_memory);

#endif
