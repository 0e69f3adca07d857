/* Opening sessions of Microsoft's engine. */
#ifndef PYDBGWRITE_PYTHON_OPENING_DBGENG_H
#define PYDBGWRITE_PYTHON_OPENING_DBGENG_H

#include "../python.h"

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
 *   dbgeng_running_ids(server) -> (HRESULT, ids)
 *   dbgeng_running_program(server, pid) -> (HRESULT, name)
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
PyObject *open_dbgeng_running_ids(PyObject *module, PyObject *capsule);
PyObject *open_dbgeng_running_program(PyObject *module, PyObject *arguments);
PyObject *open_dbgeng_disconnect(PyObject *module, PyObject *capsule);

#endif
