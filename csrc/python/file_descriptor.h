/* The type that owns a file descriptor from the moment it exists. */
#ifndef PYDBGWRITE_PYTHON_FILE_DESCRIPTOR_H
#define PYDBGWRITE_PYTHON_FILE_DESCRIPTOR_H

#include <stdbool.h>

#include "python.h"

bool file_descriptor_add_type(PyObject *module);

#endif
