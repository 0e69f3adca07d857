/* The end of a session: the methods detach, terminate and close, and the functions that others
 * call. */
#ifndef PYDBGWRITE_PYTHON_SESSION_END_H
#define PYDBGWRITE_PYTHON_SESSION_END_H

#include "session.h"

PyObject *session_detach(PyObject *self, PyObject *unused);
PyObject *session_terminate(PyObject *self, PyObject *unused);
PyObject *session_close(PyObject *self, PyObject *unused);
PyObject *session_end_at_exit(PyObject *self, PyObject *unused);

/* For the collector: detaches the target if that has not been done, and releases everything. */
void session_let_go(session_object *self);

#endif
