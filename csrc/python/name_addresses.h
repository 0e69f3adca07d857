/* The function _core.name_addresses: the names of many addresses. */
#ifndef PYDBGWRITE_PYTHON_NAME_ADDRESSES_H
#define PYDBGWRITE_PYTHON_NAME_ADDRESSES_H

#include "python.h"

PyObject *name_addresses(PyObject *module, PyObject *arguments);

#endif
