/* The function _core.moved_pointers: what found pointers become. */
#ifndef PYDBGWRITE_PYTHON_MOVED_POINTERS_H
#define PYDBGWRITE_PYTHON_MOVED_POINTERS_H

#include "python.h"

PyObject *moved_pointers(PyObject *module, PyObject *arguments);

#endif
