/* Python.h as this project uses it: the Limited API of 3.11, so that one abi3 module serves every
 * later CPython. Free-threaded builds have no Limited API and compile against the full one. */
#ifndef PYDBGWRITE_PYTHON_PYTHON_H
#define PYDBGWRITE_PYTHON_PYTHON_H

#define PY_SSIZE_T_CLEAN
#if !defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API)
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#endif
