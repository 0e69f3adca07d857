/* Carrying out writes of every shape: the core's calls, what they have in common. */
#include "write_request.h"

#include <stdlib.h>

#include "../core/bulk.h"
#include "../core/bytes.h"
#include "../core/compare.h"
#include "../core/read_back.h"
#include "../core/scattered/scattered.h"
#include "arguments.h"
#include "pointer_input.h"
#include "recording.h"

/* A scattered pointer takes as long as so many bytes in a row: for the GIL's release. */
#define BYTES_LIKE_ONE 64u

core_status write_request_core(const core_target *engine, const write_request *request,
                               const core_pace *pace, core_error *error)
{
    const pointer_view *values = &request->values;

    if (request->kind == WRITE_BYTES) {
        (void)core_write_bytes(engine, request->address, values->first, values->count, pace, error);
    } else if (request->kind == WRITE_SCATTERED) {
        (void)core_write_scattered(engine, &request->addresses, values, request->truncate,
                                   request->spans, pace, error);
    } else if (request->bulk) {
        (void)core_write_bulk(engine, request->address, values, request->truncate, pace, error);
    } else {
        (void)core_write_pointers(engine, request->address, values, request->truncate, pace, error);
    }
    return error->status;
}

bool write_request_check(const core_target *engine, const write_request *request,
                         const core_pace *pace, core_error *error)
{
    const pointer_view *values = &request->values;
    bool good;

    if (request->kind == WRITE_BYTES) {
        good = core_begin_bytes(engine, request->address, values->count, error);
    } else if (request->kind == WRITE_SCATTERED) {
        good = core_begin_scattered(engine, &request->addresses, pace, error);
    } else {
        good = core_begin_pointers(engine, request->address, values->count, error);
    }
    return good &&
           (error->width != 4 || request->truncate || core_check_values(values, pace, error));
}

bool write_request_count(const core_target *engine, const write_request *request, uint32_t width,
                         uint64_t *landed)
{
    const pointer_view *values = &request->values;
    bool known;

    if (request->kind == WRITE_BYTES) {
        known = core_count_bytes(engine, request->address, values->first, values->count, landed);
    } else if (request->kind == WRITE_SCATTERED) {
        known = core_count_scattered(engine, &request->addresses, values, width, landed);
    } else {
        known = core_count_pointers(engine, request->address, values, width, landed);
    }
    return known;
}

uint64_t write_request_work(write_kind kind, uint64_t count)
{
    uint64_t each = kind == WRITE_BYTES ? 1 : 8;

    each = kind == WRITE_SCATTERED ? BYTES_LIKE_ONE : each;
    return count > UINT64_MAX / each ? UINT64_MAX : count * each;
}

bool write_request_expect(const module_state *state, PyObject *given, const Py_buffer *buffer,
                          uint64_t **converted, write_request *request)
{
    bool good = true;

    if (given == NULL || given == Py_None) {
        goto done;
    }
    request->expects = true;
    if (PyLong_Check(given) ||
        (buffer->obj == NULL ? PyIndex_Check(given) : buffer->ndim == 0 && PyIndex_Check(given))) {
        good = arguments_unsigned(given, "expect", &request->one_expected);
        request->expected.first = (const unsigned char *)&request->one_expected;
        request->expected.stride = 0;
        request->expected.count = request->values.count;
        goto done;
    }
    good = pointer_input_take(state, given, buffer, "expect", converted, &request->expected);
    if (good && request->expected.count != request->values.count) {
        PyErr_Format(PyExc_ValueError,
                     "expect must be one int, or as many pointers as are written: got %llu for "
                     "%llu; nothing was written",
                     (unsigned long long)request->expected.count,
                     (unsigned long long)request->values.count);
        good = false;
    }
done:
    return good;
}

/* Does the target hold `values` where the request writes? */
static bool compare(const core_target *engine, const write_request *request,
                    const pointer_view *values, const char *purpose, long_work *work,
                    core_differences *found, core_error *error)
{
    const core_pace *pace = &work->pace;

    work->quiet = true; /* progress counts what is written */
    if (request->kind == WRITE_BYTES) {
        (void)core_compare_bytes(engine, request->address, values->first, values->count, pace,
                                 found, error);
    } else if (request->kind == WRITE_SCATTERED) {
        (void)core_compare_scattered(
            engine, &request->addresses, values,
            values == &request->expected ? CORE_EACH_COUNTS : CORE_LAST_COUNTS, pace, found, error);
    } else {
        (void)core_compare_pointers(engine, request->address, values, pace, found, error);
    }
    work->quiet = false;
    error->purpose = purpose;
    error->differences = found;
    return error->status == CORE_OK;
}

/* Is everything as the request expects it? Otherwise nothing is written. */
static bool expectation_met(const core_target *engine, const write_request *request,
                            long_work *work, core_differences *found, core_error *error)
{
    bool good = write_request_check(engine, request, &work->pace, error);

    if (good && error->width == 4 && !request->truncate &&
        !core_check_values(&request->expected, &work->pace, error)) {
        error->purpose = request->expected.stride == 0 ? "one expected" : "expect";
        good = false;
    }
    if (good) {
        good = compare(engine, request, &request->expected, "expect", work, found, error);
        error->done = 0;
        error->landed = 0;
    }
    return good;
}

/* The write itself; see recording_write() for what it gives. */
static bool write_all(session_object *session, const write_request *request, long_work *work,
                      core_error *error)
{
    bool cut_short = false;

    if (session->record == NULL) {
        (void)write_request_core(&session->target, request, &work->pace, error);
    } else {
        cut_short = recording_write(session, request, work, error);
    }
    return cut_short;
}

/* With a look at the target before the write, after it, or both. */
static bool write_with_checks(session_object *session, const write_request *request,
                              core_differences *found, long_work *work, core_error *error)
{
    const core_target *engine = &session->target;
    bool cut_short = false;
    core_error after;

    if (!request->expects || expectation_met(engine, request, work, found, error)) {
        cut_short = write_all(session, request, work, error);
        if (error->status == CORE_OK && request->verify) {
            long_work_begin(work, session, write_request_work(request->kind, error->count));
            if (!compare(engine, request, &request->values, "verify", work, found, &after)) {
                *error = after;
                error->done = error->count; /* all of it was written */
            }
        }
    }
    return cut_short;
}

PyObject *write_request_run(session_object *session, const write_request *request,
                            PyObject *progress)
{
    PyObject *result = NULL;
    core_differences *found = NULL;
    bool cut_short = false;
    core_error error;
    long_work work;

    if (request->verify || request->expects) {
        found = malloc(sizeof *found);
        if (found == NULL) {
            (void)PyErr_NoMemory();
            goto done;
        }
    }
    long_work_prepare(&work, session, progress, request->kind == WRITE_BYTES ? 1 : 8);
    long_work_begin(&work, session, write_request_work(request->kind, request->values.count));
    if (found == NULL) {
        cut_short = write_all(session, request, &work, &error);
    } else {
        cut_short = write_with_checks(session, request, found, &work, &error);
    }
    long_work_end(&work);
    if (long_work_finish(&work, session, &error, true)) {
        result = PyLong_FromUnsignedLongLong(request->values.count);
    }
    if (cut_short) {
        recording_cut_short(session);
    }
done:
    free(found);
    return result;
}
