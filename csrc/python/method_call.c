/* Beginning and ending the call of a method; see method_call.h. */
#include "method_call.h"

#include "gil.h"

bool method_begin(method_call *call, session_object *session, const call_signature *signature,
                  PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    bool good = arguments_parse(signature, arguments, count, names, call->values) &&
                session_enter(session, signature->writes);

    call->session = session;
    call->names.session = session;
    call->names.writes = signature->writes;
    call->names.entered = good;
    call->names.resolver = NULL;
    call->names.found = NULL;
    call->released = false;
    return good;
}

PyObject *method_end(method_call *call, PyObject *result)
{
    if (call->names.entered) {
        session_leave(call->session);
    }
    if (call->names.resolver != NULL) {
        names_release(&call->names);
    }
    if (result != NULL && PyErr_Occurred()) {
        Py_CLEAR(result);
    }
    return result;
}

void method_leave_python(method_call *call, uint64_t bytes)
{
    if (session_releases_gil(call->session, bytes)) {
        call->released = true;
        gil_release();
    }
}

void method_enter_python(method_call *call)
{
    if (call->released) {
        call->released = false;
        gil_take();
    }
}
