/* Opening live Linux processes. */
#ifndef PYDBGWRITE_PYTHON_OPENING_LINUX_H
#define PYDBGWRITE_PYTHON_OPENING_LINUX_H

#include "../python.h"

/* linux_attach(type, pid, suspend, writable, timeout) */
PyObject *open_linux_attach(PyObject *module, PyObject *arguments);

/* linux_suspend(session, timeout) */
PyObject *open_linux_suspend(PyObject *module, PyObject *arguments);

/* linux_launch(type, path, arguments, environment, directory, standard, writable, timeout) */
PyObject *open_linux_launch(PyObject *module, PyObject *arguments);

#endif
