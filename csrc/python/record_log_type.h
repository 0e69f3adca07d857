/* The methods and attributes of _core.RecordLog. */
#ifndef PYDBGWRITE_PYTHON_RECORD_LOG_TYPE_H
#define PYDBGWRITE_PYTHON_RECORD_LOG_TYPE_H

#include "python.h"

#include <stdbool.h>

bool record_log_add_type(PyObject *module);

#endif
