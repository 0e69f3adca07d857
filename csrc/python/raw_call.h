/* What every method of the raw layer begins and ends with. */
#ifndef PYDBGWRITE_PYTHON_RAW_CALL_H
#define PYDBGWRITE_PYTHON_RAW_CALL_H

#include "arguments.h"
#include "session.h"

typedef struct data_spaces_object {
    PyObject_HEAD session_object *session;
} data_spaces_object;

#define RAW_PARAMETERS 4

/* A call under way: what raw_begin() took and raw_finish() gives back. */
typedef struct raw_call {
    session_object *session;
    IDebugDataSpaces4 *spaces;
    PyObject *values[RAW_PARAMETERS];
    PyThreadState *released;
} raw_call;

/* Parses the arguments and enters the session. False: an exception is set. raw_finish() follows
 * either way. */
bool raw_begin(raw_call *call, PyObject *self, const call_signature *signature,
               PyObject *const *arguments, Py_ssize_t count, PyObject *names, bool writes);
void raw_finish(raw_call *call);

/* Around the engine's call: lets other threads run where it moves `bytes` that take a while. */
void raw_leave_python(raw_call *call, uint64_t bytes);
void raw_enter_python(raw_call *call);

#endif
