/* The beginning and end of a method with keywords: its arguments, its session, the GIL. */
#ifndef PYDBGWRITE_PYTHON_METHOD_CALL_H
#define PYDBGWRITE_PYTHON_METHOD_CALL_H

#include "arguments.h"
#include "names.h"
#include "session.h"

#define METHOD_PARAMETERS 8 /* as many as any method has */

/* A call under way: method_begin() takes what it holds, and method_end() releases it. */
typedef struct method_call {
    session_object *session;
    call_names names;
    PyObject *values[METHOD_PARAMETERS];
    bool released;
} method_call;

/* Parses the arguments and enters the session. False: an exception is set. method_end() follows
 * either way, and returns the method's return value. That is not the result if a signal handler set
 * an exception during the wait for the engine. */
bool method_begin(method_call *call, session_object *session, const call_signature *signature,
                  PyObject *const *arguments, Py_ssize_t count, PyObject *names);
PyObject *method_end(method_call *call, PyObject *result);

/* Around engine calls: lets other threads run if the calls move `bytes` that take a while. */
void method_leave_python(method_call *call, uint64_t bytes);
void method_enter_python(method_call *call);

#endif
