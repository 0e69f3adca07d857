/* The module functions that open sessions, and what only certain targets have. */
#ifndef PYDBGWRITE_PYTHON_OPENING_OPENING_H
#define PYDBGWRITE_PYTHON_OPENING_OPENING_H

#include "../session.h"

/* simulate(type, regions, pointer_size, writable): regions is a list of (base, size, protection
 * 0..2), in ascending order without overlaps; the Python side checks that. */
PyObject *open_simulated(PyObject *module, PyObject *arguments);

/* linux_attach(type, pid, suspend, writable, timeout) */
PyObject *open_linux_attach(PyObject *module, PyObject *arguments);

/* linux_launch(type, path, arguments, environment, directory, standard, writable, timeout) */
PyObject *open_linux_launch(PyObject *module, PyObject *arguments);

/* wrap(type, address, writable) -> (session, where its engine's code is). */
PyObject *open_wrapped(PyObject *module, PyObject *arguments);

/* Microsoft's engine, on Windows; pydbgwrite/_opening/dbgeng.py checks the arguments.
 *   dbgeng_load(folder) -> (failure, os_error, machine, own_machine, file, mixed)
 *   dbgeng_loaded() -> (file, version) or None
 *   dbgeng_file_of(code) -> (file, version) or None
 *   dbgeng_attach(type, server, pid, invasive, suspend, writable, timeout)
 *   dbgeng_launch(type, server, command_line, directory, environment, writable, timeout)
 *   dbgeng_open_dump(type, path, writable, timeout)
 *   dbgeng_attach_kernel(type, options, writable, timeout)
 *   dbgeng_connect(type, options, writable, timeout)
 *   dbgeng_process_server(options, timeout) -> server, a capsule
 *   dbgeng_disconnect(server) -> HRESULT */
PyObject *open_dbgeng_load(PyObject *module, PyObject *folder);
PyObject *open_dbgeng_loaded(PyObject *module, PyObject *unused);
PyObject *open_dbgeng_file_of(PyObject *module, PyObject *code);
PyObject *open_dbgeng_attach(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_launch(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_dump(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_kernel(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_connect(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_process_server(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_disconnect(PyObject *module, PyObject *capsule);

/* Methods of the session type. */
PyObject *session_read_maps(PyObject *self, PyObject *unused);
PyObject *session_inject_fault(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                               PyObject *names);

#endif
