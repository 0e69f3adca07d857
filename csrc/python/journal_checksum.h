/* The checksum of journals for Python. */
#ifndef PYDBGWRITE_PYTHON_JOURNAL_CHECKSUM_H
#define PYDBGWRITE_PYTHON_JOURNAL_CHECKSUM_H

#include "python.h"

/* _core.checksum. */
PyObject *journal_checksum(PyObject *module, PyObject *arguments);

#endif
