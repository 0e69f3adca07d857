/* Session.write and Session.read: plain bytes. */
#include "session_bytes.h"

#include "../core/dispatch.h"
#include "arguments.h"
#include "long_work.h"
#include "write_request.h"

PyObject *session_write(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                        PyObject *names)
{
    enum { ADDRESS, DATA, VERIFY, EXPECT, PROGRESS, PARAMETERS };
    static const char *const parameters[] = {"address", "data",     "verify",
                                             "expect",  "progress", NULL};
    static const call_signature write_signature = {"write", parameters, 2, 2, true};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *progress = NULL, *result = NULL;
    Py_buffer buffer = {0}, expected = {0};
    write_request request = {.core = {.kind = CORE_BYTES}};
    bool entered = false;

    if (!arguments_parse(&write_signature, arguments, count, names, values) ||
        !session_enter(session, true)) {
        goto done;
    }
    entered = true;
    if (!arguments_unsigned(values[ADDRESS], "address", &request.core.address) ||
        !arguments_flag(values[VERIFY], false, &request.verify) ||
        (values[PROGRESS] != NULL &&
         !arguments_callable(values[PROGRESS], "progress", &progress))) {
        goto done;
    }
    if (!PyObject_CheckBuffer(values[DATA])) {
        PyErr_Format(PyExc_TypeError, "data must be bytes-like, got an object of %R",
                     (PyObject *)Py_TYPE(values[DATA]));
        goto done;
    }
    if (PyObject_GetBuffer(values[DATA], &buffer, PyBUF_SIMPLE) < 0) {
        arguments_no_bytes(values[DATA], "data");
        goto done;
    }
    request.core.values.first = buffer.buf;
    request.core.values.stride = 1;
    request.core.values.count = (uint64_t)buffer.len;
    request.expects = values[EXPECT] != NULL && values[EXPECT] != Py_None;
    if (request.expects && !PyObject_CheckBuffer(values[EXPECT])) {
        PyErr_Format(PyExc_TypeError, "expect must be bytes-like, got an object of %R",
                     (PyObject *)Py_TYPE(values[EXPECT]));
        goto done;
    }
    if (request.expects && PyObject_GetBuffer(values[EXPECT], &expected, PyBUF_SIMPLE) < 0) {
        arguments_no_bytes(values[EXPECT], "expect");
        goto done;
    }
    if (request.expects && expected.len != buffer.len) {
        PyErr_Format(PyExc_ValueError,
                     "expect must be as long as data: got %zd bytes for %zd; nothing was written",
                     expected.len, buffer.len);
        goto done;
    }
    request.expected.first = expected.buf;
    request.expected.stride = 1;
    request.expected.count = (uint64_t)expected.len;
    result = write_request_run(session, &request, progress);
done:
    if (expected.obj != NULL) {
        PyBuffer_Release(&expected);
    }
    if (buffer.obj != NULL) {
        PyBuffer_Release(&buffer);
    }
    if (entered) {
        session_leave(session);
    }
    return result;
}

PyObject *session_read(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                       PyObject *names)
{
    enum { ADDRESS, SIZE, PROGRESS, PARAMETERS };
    static const char *const parameters[] = {"address", "size", "progress", NULL};
    static const call_signature read_signature = {"read", parameters, 2, 2, false};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *progress = NULL, *bytes = NULL, *result = NULL;
    core_request request = {.kind = CORE_BYTES};
    uint64_t size = 0;
    bool entered = false;
    core_error error;
    long_work work;

    if (!arguments_parse(&read_signature, arguments, count, names, values) ||
        !session_enter(session, false)) {
        goto done;
    }
    entered = true;
    if (!arguments_unsigned(values[ADDRESS], "address", &request.address) ||
        !arguments_size(values[SIZE], "size", &size) ||
        (values[PROGRESS] != NULL &&
         !arguments_callable(values[PROGRESS], "progress", &progress))) {
        goto done;
    }
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes == NULL) {
        goto done;
    }
    request.values.count = size;
    request.to = PyBytes_AsString(bytes);
    long_work_prepare(&work, session, progress, 1);
    long_work_begin(&work, session, size);
    (void)core_read(&session->target, &request, &work.pace, &error);
    long_work_end(&work);
    if (long_work_finish(&work, session, &error, false)) {
        result = bytes;
        bytes = NULL;
    }
done:
    Py_XDECREF(bytes);
    if (entered) {
        session_leave(session);
    }
    return result;
}
