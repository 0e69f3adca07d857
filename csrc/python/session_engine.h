/* The engine calls of the Python half of a session: pointer size, being a server, its process. */
#ifndef PYDBGWRITE_PYTHON_SESSION_ENGINE_H
#define PYDBGWRITE_PYTHON_SESSION_ENGINE_H

#include "python.h"

PyObject *session_set_pointer_size(PyObject *self, PyObject *size);
PyObject *session_start_server(PyObject *self, PyObject *options);
PyObject *session_end_servers(PyObject *self, PyObject *unused);
PyObject *session_dispatch(PyObject *self, PyObject *milliseconds);
PyObject *session_process_life(PyObject *self, PyObject *unused);
PyObject *session_interface_address(PyObject *self, PyObject *unused);

#endif
