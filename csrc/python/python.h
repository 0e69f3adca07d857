/* Python.h as this project uses it: the Limited API of 3.11, so that one abi3 module serves every
 * later CPython. Free-threaded builds have no Limited API and compile against the full one;
 * setup.py defines Py_LIMITED_API for all others. */
#ifndef PYDBGWRITE_PYTHON_PYTHON_H
#define PYDBGWRITE_PYTHON_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <assert.h>

#if !defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API)
#error "build by setup.py, which defines Py_LIMITED_API, or Py_GIL_DISABLED on Windows"
#endif

/* A block in which no other thread uses an object, until a call in it blocks or releases the thread
 * state. With a GIL each such block is one already, if the thread has its state: where asserts are
 * compiled, as under the sanitizers, PyThreadState_Get() ends a process without one. */
#if defined(Py_GIL_DISABLED)
#define OBJECT_LOCK(object)   Py_BEGIN_CRITICAL_SECTION(object)
#define OBJECT_UNLOCK(object) Py_END_CRITICAL_SECTION()
#else
#define OBJECT_LOCK(object)                                                                        \
    {                                                                                              \
        assert(PyThreadState_Get() != NULL);
#define OBJECT_UNLOCK(object) }
#endif

/* Defines a method, locked_NAME(), that calls NAME() with its object locked. */
#define LOCKED_METHOD(name)                                                                        \
    static PyObject *locked_##name(PyObject *self, PyObject *argument)                             \
    {                                                                                              \
        PyObject *result = NULL;                                                                   \
                                                                                                   \
        OBJECT_LOCK(self);                                                                         \
        result = name(self, argument);                                                             \
        OBJECT_UNLOCK(self);                                                                       \
        return result;                                                                             \
    }

#endif
