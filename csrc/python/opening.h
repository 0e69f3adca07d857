/* The module functions that open sessions, and what only certain targets have. */
#ifndef PYDBGWRITE_PYTHON_OPENING_H
#define PYDBGWRITE_PYTHON_OPENING_H

#include "session.h"

/* simulate(type, regions, pointer_size): regions is a list of (base, size, protection 0..2), in
 * ascending order without overlaps; the Python side checks that. */
PyObject *open_simulated(PyObject *module, PyObject *arguments);

/* linux_attach(type, pid, suspend, writable, timeout) */
PyObject *open_linux_attach(PyObject *module, PyObject *arguments);

/* linux_launch(type, path, arguments, environment, directory, standard, writable, timeout) */
PyObject *open_linux_launch(PyObject *module, PyObject *arguments);

/* Methods of the session type. */
PyObject *session_read_maps(PyObject *self, PyObject *unused);
PyObject *session_inject_fault(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                               PyObject *names);

#endif
