/* Session.write_pointers and Session.read_pointers: arguments, buffers, the core's call. */
#include "session_pointers.h"

#include <stdlib.h>

#include "../core/bulk.h"
#include "../core/dispatch.h"
#include "arguments.h"
#include "long_work.h"
#include "pointer_input.h"
#include "pointer_output.h"
#include "write_request.h"

/* Which engine call moves the pointers? `via` is NULL where it was not given. False: an exception
 * is set. */
static bool wants_bulk(const session_object *session, PyObject *via, const char *direct,
                       const char *bulk, bool automatic, uint64_t count, bool *wanted)
{
    bool good = true;

    if (via != NULL && !PyUnicode_Check(via)) {
        PyErr_Format(PyExc_TypeError, "via must be a str, got an object of %R",
                     (PyObject *)Py_TYPE(via));
        good = false;
    } else if (via != NULL && PyUnicode_CompareWithASCIIString(via, direct) == 0) {
        *wanted = false;
    } else if (via != NULL && PyUnicode_CompareWithASCIIString(via, bulk) == 0) {
        *wanted = true;
    } else if (via == NULL ? automatic : PyUnicode_CompareWithASCIIString(via, "auto") == 0) {
        /* The embedded engine narrows pointers in smaller pieces than the bulk way does. */
        bool narrows = !automatic && !session->genuine && session->embedded->pointer_size == 4;

        *wanted = count >= BULK_THRESHOLD_POINTERS && (session->genuine || narrows);
    } else if (via == NULL) {
        *wanted = false;
    } else {
        PyErr_Format(PyExc_ValueError, "via must be '%s', '%s' or 'auto', got %R", direct, bulk,
                     via);
        good = false;
    }
    return good;
}

PyObject *session_write_pointers(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                 PyObject *names)
{
    enum { ADDRESS, POINTERS, VIA, VERIFY, EXPECT, TRUNCATE, PROGRESS, PARAMETERS };
    static const char *const parameters[] = {"address", "pointers", "via",      "verify",
                                             "expect",  "truncate", "progress", NULL};
    static const call_signature write_signature = {"write_pointers", parameters, 2, 2, true};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *progress = NULL, *result = NULL;
    Py_buffer buffer, expect_buffer; /* taken where obj is set; zeroing all of them takes time */
    uint64_t *converted = NULL, *converted_expect = NULL;
    write_request request = {.core = {.kind = CORE_POINTERS, .values = {NULL, 8, 0}}};
    bool entered = false;

    buffer.obj = NULL;
    expect_buffer.obj = NULL;
    if (!arguments_parse(&write_signature, arguments, count, names, values) ||
        !session_enter(session, true)) {
        goto done;
    }
    entered = true;
    if (!arguments_unsigned(values[ADDRESS], "address", &request.core.address) ||
        !arguments_flag(values[VERIFY], false, &request.verify) ||
        !arguments_flag(values[TRUNCATE], false, &request.core.truncate) ||
        (values[PROGRESS] != NULL &&
         !arguments_callable(values[PROGRESS], "progress", &progress))) {
        goto done;
    }
    if (PyObject_CheckBuffer(values[POINTERS]) &&
        PyObject_GetBuffer(values[POINTERS], &buffer, PyBUF_RECORDS_RO) < 0) {
        pointer_input_no_buffer(values[POINTERS], "pointers");
        goto done;
    }
    if (!pointer_input_take(session->state, values[POINTERS], &buffer, "pointers", &converted,
                            &request.core.values) ||
        !wants_bulk(session, values[VIA], "WritePointersVirtual", "WriteVirtual", false,
                    request.core.values.count, &request.core.bulk)) {
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
    if (buffer.obj != NULL) {
        PyBuffer_Release(&buffer);
    }
    free(converted_expect);
    free(converted);
    if (entered) {
        session_leave(session);
    }
    return result;
}

/* How many pointers are asked for, and whether the given buffer has room for them. */
static bool wanted_count(PyObject *given, PyObject *into, const pointer_view *view,
                         uint64_t *wanted)
{
    bool good = true;

    if (given == NULL || given == Py_None) {
        *wanted = view->count;
    } else {
        good = arguments_size(given, "count", wanted);
    }
    if (good && into != NULL && *wanted > view->count) {
        PyErr_Format(PyExc_ValueError, "into has room for %llu pointers, count is %llu",
                     (unsigned long long)view->count, (unsigned long long)*wanted);
        good = false;
    }
    return good;
}

PyObject *session_read_pointers(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                PyObject *names)
{
    enum { ADDRESS, COUNT, INTO, VIA, PROGRESS, PARAMETERS };
    static const char *const parameters[] = {"address", "count", "into", "via", "progress", NULL};
    static const call_signature read_signature = {"read_pointers", parameters, 1, 2, false};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *progress = NULL, *into = NULL, *made = NULL, *result = NULL;
    Py_buffer buffer = {0};
    pointer_view view = {NULL, 8, 0};
    core_request request = {.kind = CORE_POINTERS};
    uint64_t wanted = 0;
    bool entered = false;
    core_error error;
    long_work work;

    if (!arguments_parse(&read_signature, arguments, count, names, values) ||
        !session_enter(session, false)) {
        goto done;
    }
    entered = true;
    into = values[INTO] == Py_None ? NULL : values[INTO];
    if (!arguments_unsigned(values[ADDRESS], "address", &request.address) ||
        (values[PROGRESS] != NULL &&
         !arguments_callable(values[PROGRESS], "progress", &progress))) {
        goto done;
    }
    if (into == NULL) {
        if (values[COUNT] == NULL || values[COUNT] == Py_None) {
            PyErr_SetString(PyExc_TypeError, "read_pointers() needs count or into");
            goto done;
        }
        if (!wanted_count(values[COUNT], NULL, &view, &wanted)) {
            goto done;
        }
        made = pointer_output_array(session->state, wanted);
        if (made == NULL) {
            goto done;
        }
    }
    if (PyObject_GetBuffer(into == NULL ? made : into, &buffer, PyBUF_RECORDS) < 0) {
        pointer_input_no_buffer(into == NULL ? made : into, "into");
        goto done;
    }
    if (!pointer_input_of_buffer(into == NULL ? made : into, &buffer, "into", &view) ||
        !wanted_count(values[COUNT], into, &view, &wanted)) {
        goto done;
    }
    if (wanted > 0 && !pointer_view_is_direct(&view)) {
        PyErr_SetString(PyExc_ValueError, "into must be contiguous and aligned to 8 bytes");
        goto done;
    }
    if (!wants_bulk(session, values[VIA], "ReadPointersVirtual", "ReadVirtual", true, wanted,
                    &request.bulk)) {
        goto done;
    }
    request.values.count = wanted;
    request.to = buffer.buf;
    request.fresh = into == NULL;
    long_work_prepare(&work, session, progress, 8);
    long_work_begin(&work, session, wanted * 8);
    (void)core_read(&session->target, &request, &work.pace, &error);
    long_work_end(&work);
    if (long_work_finish(&work, session, &error, false)) {
        result = into == NULL ? made : PyLong_FromUnsignedLongLong(wanted);
        Py_XINCREF(into == NULL ? made : NULL);
    }
done:
    if (buffer.obj != NULL) {
        PyBuffer_Release(&buffer);
    }
    Py_XDECREF(made);
    if (entered) {
        session_leave(session);
    }
    return result;
}
