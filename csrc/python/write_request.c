/* Carrying out reads and writes, with a check of the target before the write, after it, or both;
 * see write_request.h. */
#include "write_request.h"

#include <stdlib.h>

#include "../core/dispatch.h"
#include "../core/narrow.h"
#include "arguments.h"
#include "long_work.h"
#include "recording.h"

/* A scattered pointer takes as long as this many bytes in a row: for the GIL's release. */
#define BYTES_LIKE_ONE 64u

/* Returns the number of bytes in a row that take as long as `count` elements: for the GIL's
 * release. */
static uint64_t work_of(core_kind kind, uint64_t count)
{
    uint64_t each = kind == CORE_BYTES ? 1 : 8;

    each = kind == CORE_SCATTERED ? BYTES_LIKE_ONE : each;
    return count > UINT64_MAX / each ? UINT64_MAX : count * each;
}

bool write_request_take_expected(write_request *request, pointer_input *input, call_names *names,
                                 PyObject *given)
{
    module_state *state = names->session->state;
    uint64_t count = request->core.values.count;
    int one = PyUnicode_Check(given) ? 1 : pointer_input_is_one(state, given);
    bool good;

    request->expects = true;
    if (one < 0) {
        return false;
    }
    if (one > 0) {
        request->expected = (pointer_view){(unsigned char *)&request->one_expected, 0, count};
        return names_address(names, given, "expect", -1, &request->one_expected);
    }
    good = pointer_input_take(input, state, names, given, "expect");
    if (good) {
        request->expected = input->view;
        request->expected_foreign = arguments_may_be_gone(state, &input->buffer);
    }
    if (good && input->view.count != count) {
        PyErr_Format(PyExc_ValueError,
                     "expect must be one pointer, or as many as are written: got %llu for "
                     "%llu; nothing was written",
                     (unsigned long long)input->view.count, (unsigned long long)count);
        good = false;
    }
    return good;
}

void write_request_look(write_request *request, const session_object *session,
                        const Py_buffer *values, const Py_buffer *addresses)
{
    const core_request *core = &request->core;
    bool by_kernel = session_kernel_reads(session) && session->embedded->pointer_size == 8 &&
                     session->record == NULL && !request->expects &&
                     (core->kind == CORE_BYTES ||
                      (core->kind == CORE_POINTERS && pointer_view_is_direct(&core->values)));

    request->core.foreign =
        !by_kernel && (arguments_may_be_gone(session->state, values) ||
                       (addresses != NULL && arguments_may_be_gone(session->state, addresses)));
}

/* Returns whether the target holds the request's values. */
static bool compare(const core_target *target, const core_request *request, const char *purpose,
                    long_work *work, core_differences *found, core_error *error)
{
    work->quiet = true; /* progress counts only written elements */
    (void)core_compare(target, request, &work->pace, found, error);
    work->quiet = false;
    error->purpose = purpose;
    error->differences = found;
    return error->status == CORE_OK;
}

/* Checks the request, and what it expects, of which *expected becomes the comparison. False:
 * nothing may be written. */
static bool expectation_checked(const core_target *target, const write_request *request,
                                long_work *work, core_request *expected, core_error *error)
{
    *expected = request->core;
    if (!core_check(target, &request->core, &work->pace, error)) {
        return false;
    }
    expected->values = request->expected;
    expected->foreign = false;
    expected->each_counts = true;
    if (request->expected_foreign &&
        !core_readable(target, &expected->values, core_value_size(expected), "expect", error)) {
        return false;
    }
    if (core_must_fit(expected, error->width) &&
        !core_check_values(&expected->values, &work->pace, error)) {
        error->purpose = expected->values.stride == 0 ? "one expected" : "expect";
        return false;
    }
    return true;
}

/* Returns whether the target holds what is expected. Otherwise nothing is written. */
static bool expectation_met(const core_target *target, const core_request *expected,
                            long_work *work, core_differences *found, core_error *error)
{
    bool met = compare(target, expected, "expect", work, found, error);

    if (!met) {
        error->done = 0;
        error->landed = 0;
    }
    return met;
}

/* The write itself; see recording_write() for the result. */
static bool write_all(session_object *session, const core_request *request, long_work *work,
                      core_error *error)
{
    if (session->record != NULL) {
        return recording_write(session, request, work, error);
    }
    (void)core_write(&session->target, request, &work->pace, error);
    return false;
}

/* Writes, with a check of the target before the write, after it, or both. */
static bool write_with_checks(session_object *session, const write_request *request,
                              core_differences *found, long_work *work, core_error *error)
{
    const core_target *target = &session->target;
    core_request core = request->core, expected;
    bool written = false, cut_short = false;
    core_error after;

    if (request->expects) {
        if (!expectation_checked(target, request, work, &expected, error)) {
            return false;
        }
        core.checked = true;
        written = session->record != NULL &&
                  recording_write_expected(session, &core, &expected, work, error, &cut_short);
    }
    if (!written) {
        long_work_begin(work, session, work_of(core.kind, core.values.count));
        if (!request->expects || expectation_met(target, &expected, work, found, error)) {
            cut_short = write_all(session, &core, work, error);
        }
    }
    if (error->status == CORE_OK && request->verify) {
        core.foreign = false; /* it could be read just now */
        long_work_begin(work, session, work_of(core.kind, error->count));
        if (!compare(target, &core, "verify", work, found, &after)) {
            *error = after;
            error->done = error->count; /* all of it was written */
        }
    }
    return cut_short;
}

PyObject *write_request_run(session_object *session, const write_request *request,
                            PyObject *progress)
{
    const core_request *core = &request->core;
    PyObject *result = NULL;
    core_differences *found = NULL;
    bool cut_short = false;
    core_error error;
    long_work work;

    if (request->verify || request->expects) {
        found = malloc(sizeof *found);
        if (found == NULL) {
            return PyErr_NoMemory();
        }
    }
    long_work_prepare(&work, session, progress, core->kind == CORE_BYTES ? 1 : 8);
    long_work_begin(&work, session, work_of(core->kind, core->values.count));
    if (found == NULL) {
        cut_short = write_all(session, core, &work, &error);
    } else {
        cut_short = write_with_checks(session, request, found, &work, &error);
    }
    long_work_end(&work);
    if (long_work_finish(&work, session, &error, true)) {
        result = PyLong_FromUnsignedLongLong(core->values.count);
    }
    if (cut_short) {
        recording_cut_short(session);
    }
    free(found);
    return result;
}

bool read_request_run(session_object *session, const core_request *request, PyObject *progress)
{
    core_error error;
    long_work work;

    long_work_prepare(&work, session, progress, request->kind == CORE_BYTES ? 1 : 8);
    long_work_begin(&work, session, work_of(request->kind, request->values.count));
    (void)core_read(&session->target, request, &work.pace, &error);
    long_work_end(&work);
    return long_work_finish(&work, session, &error, false);
}
