/* Session.write and Session.read: plain bytes. */
#include "session_bytes.h"

#include "method_call.h"
#include "write_request.h"

KEYWORD_METHOD(session_write)
{
    enum { ADDRESS, DATA, VERIFY, EXPECT, PROGRESS };
    static const char *const parameters[] = {"address", "data",     "verify",
                                             "expect",  "progress", NULL};
    static const call_signature signature = {"write", parameters, 2, 2, true};
    method_call call;
    PyObject *progress = NULL, *result = NULL;
    Py_buffer data = {0}, expected = {0};
    write_request request;

    write_request_init(&request, CORE_BYTES);
    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names) ||
        !names_address(&call.names, call.values[ADDRESS], "address", -1, &request.core.address) ||
        !arguments_flag(call.values[VERIFY], &request.verify) ||
        !arguments_callable(call.values[PROGRESS], "progress", &progress) ||
        !arguments_bytes(call.session->state, call.values[DATA], "data", &data)) {
        goto done;
    }
    request.core.values = (pointer_view){data.buf, 1, (uint64_t)data.len};
    request.expects = call.values[EXPECT] != NULL && call.values[EXPECT] != Py_None;
    if (request.expects &&
        !arguments_bytes(call.session->state, call.values[EXPECT], "expect", &expected)) {
        goto done;
    }
    if (request.expects && expected.len != data.len) {
        PyErr_Format(PyExc_ValueError,
                     "expect must be as long as data: got %zd bytes for %zd; nothing was written",
                     expected.len, data.len);
        goto done;
    }
    request.expected = (pointer_view){expected.buf, 1, (uint64_t)expected.len};
    request.expected_foreign = arguments_may_be_gone(call.session->state, &expected);
    write_request_look(&request, call.session, &data, NULL);
    result = write_request_run(call.session, &request, progress);
done:
    PyBuffer_Release(&expected);
    PyBuffer_Release(&data);
    return method_end(&call, result);
}

KEYWORD_METHOD(session_read)
{
    enum { ADDRESS, SIZE, PROGRESS };
    static const char *const parameters[] = {"address", "size", "progress", NULL};
    static const call_signature signature = {"read", parameters, 2, 2, false};
    method_call call;
    PyObject *progress = NULL, *bytes = NULL;
    core_request request = {.kind = CORE_BYTES};

    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names) ||
        !names_address(&call.names, call.values[ADDRESS], "address", -1, &request.address) ||
        !arguments_size(call.values[SIZE], "size", &request.values.count) ||
        !arguments_callable(call.values[PROGRESS], "progress", &progress)) {
        goto done;
    }
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)request.values.count);
    if (bytes == NULL) {
        goto done;
    }
    request.to = PyBytes_AsString(bytes);
    if (!read_request_run(call.session, &request, progress)) {
        Py_CLEAR(bytes);
    }
done:
    return method_end(&call, bytes);
}
