/* Carrying out writes of every shape: the core's calls, what they have in common. */
#include "write_request.h"

#include "../core/bulk.h"
#include "../core/bytes.h"
#include "../core/read_back.h"
#include "../core/scattered.h"
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

PyObject *write_request_run(session_object *session, const write_request *request,
                            PyObject *progress)
{
    PyObject *result = NULL;
    bool cut_short = false;
    core_error error;
    long_work work;

    long_work_prepare(&work, session, progress, request->kind == WRITE_BYTES ? 1 : 8);
    long_work_begin(&work, session, write_request_work(request->kind, request->values.count));
    if (session->record == NULL) {
        (void)write_request_core(&session->target, request, &work.pace, &error);
    } else {
        cut_short = recording_write(session, request, &work, &error);
    }
    long_work_end(&work);
    if (long_work_finish(&work, session, &error, true)) {
        result = PyLong_FromUnsignedLongLong(request->values.count);
    }
    if (cut_short) {
        recording_cut_short(session);
    }
    return result;
}
