/* The type _core.RangeMap: core/range_map.h for Python. */
#ifndef PYDBGWRITE_PYTHON_RANGES_TYPE_H
#define PYDBGWRITE_PYTHON_RANGES_TYPE_H

#include "python.h"

#include <stdbool.h>

bool ranges_add_type(PyObject *module);

#endif
