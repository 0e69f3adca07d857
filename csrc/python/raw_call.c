/* Beginning a call of the raw layer; see raw_call.h. */
#include "raw_call.h"

bool raw_begin(method_call *call, PyObject *self, const call_signature *signature,
               PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    session_object *session = ((data_spaces_object *)self)->session;

    return method_begin(call, session, signature, arguments, count, names) &&
           (!signature->writes || session_not_recorded(session, signature->function,
                                                       "writes of the raw layer are not recorded"));
}
