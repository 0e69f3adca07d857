/* Beginning and ending a call of the raw layer; see raw_call.h. */
#include "raw_call.h"

bool raw_begin(raw_call *call, PyObject *self, const call_signature *signature,
               PyObject *const *arguments, Py_ssize_t count, PyObject *names, bool writes)
{
    session_object *session = ((data_spaces_object *)self)->session;
    bool good = false;

    call->released = NULL;
    call->session = NULL;
    if (arguments_parse(signature, arguments, count, names, call->values) &&
        session_enter(session, writes)) {
        call->session = session;
        call->spaces = session->target.data_spaces;
        good = !writes || session_not_recorded(session, signature->function,
                                               "writes of the raw layer are not recorded");
    }
    return good;
}

void raw_leave_python(raw_call *call, uint64_t bytes)
{
    if (session_releases_gil(call->session, bytes)) {
        call->released = PyEval_SaveThread();
    }
}

void raw_enter_python(raw_call *call)
{
    if (call->released != NULL) {
        PyEval_RestoreThread(call->released);
        call->released = NULL;
    }
}

void raw_finish(raw_call *call)
{
    if (call->session != NULL) {
        session_leave(call->session);
    }
}
