/* The modules and symbols that dbgeng knows: methods of the session. */
#ifndef PYDBGWRITE_PYTHON_SESSION_SYMBOLS_H
#define PYDBGWRITE_PYTHON_SESSION_SYMBOLS_H

#include "python.h"

PyObject *session_list_modules(PyObject *self, PyObject *unused);
PyObject *session_symbol_address(PyObject *self, PyObject *name);
PyObject *session_match_symbols(PyObject *self, PyObject *arguments);
PyObject *session_load_module(PyObject *self, PyObject *arguments);
PyObject *session_undecorate(PyObject *self, PyObject *name);
PyObject *session_thread_teb(PyObject *self, PyObject *unused);
PyObject *session_keep_decoration(PyObject *self, PyObject *unused);
PyObject *session_symbol_names(PyObject *self, PyObject *addresses);

#endif
