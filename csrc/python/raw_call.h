/* A call of the raw layer: one call of the engine. */
#ifndef PYDBGWRITE_PYTHON_RAW_CALL_H
#define PYDBGWRITE_PYTHON_RAW_CALL_H

#include "method_call.h"

typedef struct data_spaces_object {
    PyObject_HEAD session_object *session;
} data_spaces_object;

/* Like method_begin(), for a method of the raw layer: in a transaction, writing is refused. */
bool raw_begin(method_call *call, PyObject *self, const call_signature *signature,
               PyObject *const *arguments, Py_ssize_t count, PyObject *names);

/* Returns the engine's interface; for use between method_leave_python() and method_enter_python().
 */
static inline IDebugDataSpaces4 *raw_spaces(const method_call *call)
{
    return call->session->target.data_spaces;
}

#endif
