/* Beginning and ending the call of a method; see method_call.h. */
#include "method_call.h"

bool method_begin(method_call *call, session_object *session, const call_signature *signature,
                  PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    bool good = arguments_parse(signature, arguments, count, names, call->values) &&
                session_enter(session, signature->writes);

    call->session = good ? session : NULL;
    call->released = NULL;
    return good;
}

void method_end(method_call *call)
{
    if (call->session != NULL) {
        session_leave(call->session);
    }
}

void method_leave_python(method_call *call, uint64_t bytes)
{
    if (session_releases_gil(call->session, bytes)) {
        call->released = PyEval_SaveThread();
    }
}

void method_enter_python(method_call *call)
{
    if (call->released != NULL) {
        PyEval_RestoreThread(call->released);
        call->released = NULL;
    }
}
