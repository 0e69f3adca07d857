/* Session.write_scattered and Session.read_scattered: pointers at addresses of their own. */
#include "session_scattered.h"

#include <stdlib.h>

#include "../core/dispatch.h"
#include "arguments.h"
#include "long_work.h"
#include "pointer_input.h"
#include "pointer_output.h"
#include "write_request.h"

PyObject *session_write_scattered(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                  PyObject *names)
{
    enum { ADDRESSES, POINTERS, VERIFY, EXPECT, TRUNCATE, SPANS, PROGRESS, PARAMETERS };
    static const char *const parameters[] = {"addresses", "pointers", "verify",   "expect",
                                             "truncate",  "spans",    "progress", NULL};
    static const call_signature write_signature = {"write_scattered", parameters, 2, 2, true};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *progress = NULL, *result = NULL;
    Py_buffer address_buffer = {0}, pointer_buffer = {0}, expect_buffer = {0};
    uint64_t *converted_addresses = NULL, *converted_pointers = NULL, *converted_expect = NULL;
    write_request request = {
        .core = {.kind = CORE_SCATTERED, .addresses = {NULL, 8, 0}, .values = {NULL, 8, 0}}};
    bool entered = false;

    if (!arguments_parse(&write_signature, arguments, count, names, values) ||
        !session_enter(session, true)) {
        goto done;
    }
    entered = true;
    if (!arguments_flag(values[VERIFY], false, &request.verify) ||
        !arguments_flag(values[TRUNCATE], false, &request.core.truncate) ||
        !arguments_flag(values[SPANS], true, &request.core.spans) ||
        (values[PROGRESS] != NULL &&
         !arguments_callable(values[PROGRESS], "progress", &progress))) {
        goto done;
    }
    if (PyObject_CheckBuffer(values[ADDRESSES]) &&
        PyObject_GetBuffer(values[ADDRESSES], &address_buffer, PyBUF_RECORDS_RO) < 0) {
        pointer_input_no_buffer(values[ADDRESSES], "addresses");
        goto done;
    }
    if (!pointer_input_take(session->state, values[ADDRESSES], &address_buffer, "addresses",
                            &converted_addresses, &request.core.addresses)) {
        goto done;
    }
    if (PyObject_CheckBuffer(values[POINTERS]) &&
        PyObject_GetBuffer(values[POINTERS], &pointer_buffer, PyBUF_RECORDS_RO) < 0) {
        pointer_input_no_buffer(values[POINTERS], "pointers");
        goto done;
    }
    if (!pointer_input_take(session->state, values[POINTERS], &pointer_buffer, "pointers",
                            &converted_pointers, &request.core.values)) {
        goto done;
    }
    if (request.core.addresses.count != request.core.values.count) {
        PyErr_Format(PyExc_ValueError,
                     "addresses and pointers must have one length, got %llu addresses and %llu "
                     "pointers; nothing was written",
                     (unsigned long long)request.core.addresses.count,
                     (unsigned long long)request.core.values.count);
        goto done;
    }
    if (values[EXPECT] != NULL && PyObject_CheckBuffer(values[EXPECT]) &&
        PyObject_GetBuffer(values[EXPECT], &expect_buffer, PyBUF_RECORDS_RO) < 0) {
        pointer_input_no_buffer(values[EXPECT], "expect");
        goto done;
    }
    if (!write_request_expect(session->state, values[EXPECT], &expect_buffer, &converted_expect,
                              &request)) {
        goto done;
    }
    result = write_request_run(session, &request, progress);
done:
    if (expect_buffer.obj != NULL) {
        PyBuffer_Release(&expect_buffer);
    }
    if (pointer_buffer.obj != NULL) {
        PyBuffer_Release(&pointer_buffer);
    }
    if (address_buffer.obj != NULL) {
        PyBuffer_Release(&address_buffer);
    }
    free(converted_expect);
    free(converted_pointers);
    free(converted_addresses);
    if (entered) {
        session_leave(session);
    }
    return result;
}

PyObject *session_read_scattered(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                 PyObject *names)
{
    enum { ADDRESSES, INTO, PROGRESS, PARAMETERS };
    static const char *const parameters[] = {"addresses", "into", "progress", NULL};
    static const call_signature read_signature = {"read_scattered", parameters, 1, 1, false};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *progress = NULL, *into = NULL, *made = NULL, *result = NULL;
    Py_buffer address_buffer = {0}, buffer = {0};
    uint64_t *converted = NULL;
    pointer_view view = {NULL, 8, 0};
    core_request request = {.kind = CORE_SCATTERED, .addresses = {NULL, 8, 0}};
    const pointer_view *addresses = &request.addresses;
    bool entered = false;
    core_error error;
    long_work work;

    if (!arguments_parse(&read_signature, arguments, count, names, values) ||
        !session_enter(session, false)) {
        goto done;
    }
    entered = true;
    into = values[INTO] == Py_None ? NULL : values[INTO];
    if ((values[PROGRESS] != NULL &&
         !arguments_callable(values[PROGRESS], "progress", &progress))) {
        goto done;
    }
    if (PyObject_CheckBuffer(values[ADDRESSES]) &&
        PyObject_GetBuffer(values[ADDRESSES], &address_buffer, PyBUF_RECORDS_RO) < 0) {
        pointer_input_no_buffer(values[ADDRESSES], "addresses");
        goto done;
    }
    if (!pointer_input_take(session->state, values[ADDRESSES], &address_buffer, "addresses",
                            &converted, &request.addresses)) {
        goto done;
    }
    if (into == NULL) {
        made = pointer_output_array(session->state, addresses->count);
        if (made == NULL) {
            goto done;
        }
    }
    if (PyObject_GetBuffer(into == NULL ? made : into, &buffer, PyBUF_RECORDS) < 0) {
        pointer_input_no_buffer(into == NULL ? made : into, "into");
        goto done;
    }
    if (!pointer_input_of_buffer(into == NULL ? made : into, &buffer, "into", &view)) {
        goto done;
    }
    if (addresses->count > view.count) {
        PyErr_Format(PyExc_ValueError, "into has room for %llu pointers, addresses are %llu",
                     (unsigned long long)view.count, (unsigned long long)addresses->count);
        goto done;
    }
    if (addresses->count > 0 && !pointer_view_is_direct(&view)) {
        PyErr_SetString(PyExc_ValueError, "into must be contiguous and aligned to 8 bytes");
        goto done;
    }
    request.values.count = addresses->count;
    request.to = buffer.buf;
    long_work_prepare(&work, session, progress, 8);
    long_work_begin(&work, session, write_request_work(CORE_SCATTERED, addresses->count));
    (void)core_read(&session->target, &request, &work.pace, &error);
    long_work_end(&work);
    if (long_work_finish(&work, session, &error, false)) {
        result = into == NULL ? made : PyLong_FromUnsignedLongLong(addresses->count);
        Py_XINCREF(into == NULL ? made : NULL);
    }
done:
    if (buffer.obj != NULL) {
        PyBuffer_Release(&buffer);
    }
    if (address_buffer.obj != NULL) {
        PyBuffer_Release(&address_buffer);
    }
    free(converted);
    Py_XDECREF(made);
    if (entered) {
        session_leave(session);
    }
    return result;
}
