/* Writes piece by piece, each recorded before it is written; see recording.h. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "../core/compare.h"
#include "../core/dispatch.h"
#include "failures.h"
#include "record_log.h"
#include "recorded_kept.h"
#include "recorded_row.h"
#include "recorded_stream.h"
#include "recorded_write.h"

PyObject *recording_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    session_object *session = (session_object *)self;
    PyObject *result = NULL;
    PyObject *old_record = NULL, *old_cut_short = NULL;
    bool takes_away, is_log, entered = false;

    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "_set_recorder() takes 2 arguments, got %zd", count);
        goto done;
    }
    takes_away = arguments[0] == Py_None && arguments[1] == Py_None;
    is_log = record_log_of(session->state, arguments[0]) != NULL;
    if (!takes_away &&
        ((!is_log && !PyCallable_Check(arguments[0])) || !PyCallable_Check(arguments[1]))) {
        PyErr_Format(PyExc_TypeError,
                     "record and cut_short must both be callable, or both None (record may be a "
                     "RecordLog); got objects of %R and %R",
                     (PyObject *)Py_TYPE(arguments[0]), (PyObject *)Py_TYPE(arguments[1]));
        goto done;
    }
    /* A session that has ended drops its recorder. */
    if (!(takes_away && atomic_i32_load(&session->closed) != 0)) {
        entered = session_enter(session, false);
        if (!entered) {
            goto done;
        }
    }
    if (!takes_away && !session_not_recorded(session, "another transaction", "they do not nest")) {
        goto done;
    }
    old_record = session->record;
    old_cut_short = session->cut_short;
    session->record = NULL;
    session->cut_short = NULL;
    if (!takes_away) {
        session->record = arguments[0];
        session->cut_short = arguments[1];
        Py_INCREF(session->record);
        Py_INCREF(session->cut_short);
    }
    result = Py_None;
    Py_INCREF(result);
done:
    if (entered) {
        session_leave(session);
    }
    Py_XDECREF(old_record); /* may run Python code: the session is free again */
    Py_XDECREF(old_cut_short);
    return result;
}

/* Records what is prepared, up to element `past`. False: an exception is set, and nothing of it may
 * be written. */
static bool record_pieces(recorded_write *self, uint64_t past)
{
    PyObject *answer = NULL;
    bool good;

    if (self->log != NULL) {
        good = record_log_commit(self->log);
        if (!good) {
            recorded_explain(self, past);
        }
    } else {
        answer = PyObject_CallFunction(self->record, "OOOI", self->made[0], self->made[1],
                                       self->made[2], (unsigned int)self->error->width);
        good = answer != NULL;
        Py_XDECREF(answer);
    }
    return good && session_not_forked(self->session);
}

/* Returns whether another piece of `count` elements can join those that are prepared: if they share
 * a sync, or nothing may be written before all are compared. */
static bool may_join(const recorded_write *self, uint64_t count)
{
    return self->expected != NULL ||
           (self->log != NULL && self->count < RECORDED_MOST_GROUPED &&
            record_log_groups(self->log, recorded_payload(self->whole, count, self->error->width)));
}

/* Prepares a piece. False: *error has the reason, an exception is set, or it is not what is
 * expected. */
static bool prepare(recorded_write *self, record_piece *piece, core_error *error)
{
    bool good = recorded_prepare(self, piece, error);

    if (self->expected != NULL && !self->work->raised) {
        self->differs = !good || !core_holds(self->expected, error->width, piece->from,
                                             piece->count, piece->old);
        good = !self->differs;
    }
    return good;
}

/* Reads, records and writes one piece, or several that share a sync. True: they were recorded, but
 * not written completely. */
static bool do_group(recorded_write *self)
{
    core_error *error = self->error;
    core_error failed = *error;
    uint64_t most = recorded_most(self->whole, error->width);
    uint64_t from = error->done;
    bool recorded = false, written = true, more = true;

    self->count = 0;
    while (more) {
        record_piece *piece = &self->pieces[self->count];
        uint64_t left = error->count - from;

        piece->from = from;
        piece->count = left < most ? left : most;
        if (!prepare(self, piece, &failed)) {
            break;
        }
        self->count++;
        from += piece->count;
        left = error->count - from;
        more = left > 0 && may_join(self, left < most ? left : most);
    }
    if (self->work->raised) { /* nothing of the group is recorded */
        if (failed.status == CORE_OK && self->log != NULL) {
            recorded_explain(self, from + self->pieces[self->count].count);
        }
        error->status = CORE_STOPPED;
    } else if (self->count > 0 && !self->differs) {
        recorded = record_pieces(self, from);
        if (!recorded) {
            error->status = CORE_STOPPED;
            self->work->raised = true;
        }
    }
    for (size_t i = 0; recorded && written && i < self->count; i++) {
        const record_piece *piece = &self->pieces[i];

        long_work_begin(self->work, self->session, piece->count * error->width);
        written = recorded_write_piece(self, piece);
        long_work_end(self->work);
        written = written && (error->status == CORE_OK || i + 1 == self->count);
    }
    if (error->status == CORE_OK && failed.status != CORE_OK && !self->differs) {
        failed.done = error->done;
        *error = failed;
    }
    if (self->log != NULL) {
        record_log_drop(self->log);
    }
    for (size_t i = 0; i < 3; i++) {
        Py_CLEAR(self->made[i]);
    }
    return recorded && !written;
}

/* Returns whether all pieces of the write can be prepared before the first is written, and nothing
 * else would record them faster. */
static bool may_compare(const recorded_write *self)
{
    uint32_t width = self->error->width;
    uint64_t count = self->error->count;
    uint64_t most = recorded_most(self->whole, width);

    return self->log != NULL && count > 0 && count <= RECORDED_MOST_GROUPED * most &&
           record_log_keeps(self->log, (size_t)((count + most - 1) / most),
                            recorded_payload(self->whole, most, width)) &&
           !recorded_kept_may(self) && !recorded_stream_may(self);
}

/* Writes the whole request; the long work is under way. See recording_write() for the result. */
static bool write_recorded(recorded_write *self)
{
    const session_object *session = self->session;
    core_error *error = self->error;
    bool cut_short = false, keeps = true;
    uint64_t most = recorded_most(self->whole, error->width);

    if (error->width == 4) {
        self->wide =
            malloc((size_t)(error->count < most ? error->count : most) * sizeof(uint64_t) + 1);
    }
    long_work_end(self->work);
    if (error->width == 4 && self->wide == NULL) {
        (void)PyErr_NoMemory();
        error->status = CORE_STOPPED;
        self->work->raised = true;
    }
    Py_INCREF(self->record); /* the collector may release the session's reference */
    while (error->status == CORE_OK && error->done < error->count && !self->differs) {
        if (keeps && recorded_kept_may(self)) {
            keeps = recorded_kept_do(self, &cut_short);
        } else if (keeps && recorded_row_may(self)) {
            keeps = recorded_row_do(self);
        } else if (recorded_stream_may(self)) {
            cut_short = recorded_stream_do(self);
        } else {
            cut_short = do_group(self);
        }
    }
    Py_DECREF(self->record);
    if (error->status == CORE_ENGINE || error->status == CORE_POINTER_RANGE ||
        error->status == CORE_UNREADABLE) {
        long_work_begin(self->work, session, UINT64_MAX);
        core_find_landed(&session->target, self->whole, error);
        long_work_end(self->work);
    }
    free(self->wide);
    return cut_short;
}

bool recording_write(session_object *session, const core_request *request, long_work *work,
                     core_error *error)
{
    const core_target *target = &session->target;
    recorded_write self = {.session = session,
                           .whole = request,
                           .work = work,
                           .error = error,
                           .record = session->record,
                           .log = record_log_of(session->state, session->record)};

    if (request->checked ? !core_begin(target, request, &work->pace, error)
                         : !core_check(target, request, &work->pace, error)) {
        return false;
    }
    return write_recorded(&self);
}

bool recording_write_expected(session_object *session, const core_request *request,
                              const core_request *expected, long_work *work, core_error *error,
                              bool *cut_short)
{
    recorded_write self = {.session = session,
                           .whole = request,
                           .work = work,
                           .error = error,
                           .record = session->record,
                           .log = record_log_of(session->state, session->record),
                           .expected = expected};

    long_work_end(work); /* the log is an object */
    if (!may_compare(&self)) {
        return false;
    }
    *cut_short = write_recorded(&self);
    return !self.differs;
}

void recording_cut_short(const session_object *session)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    PyObject *answer = NULL, *note = NULL, *noted = NULL;
    PyObject *other = NULL;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    /* In a forked child the journal is its parent's. */
    if (session->cut_short != NULL && !session_is_forked(session)) {
        answer = PyObject_CallNoArgs(session->cut_short);
    }
    if (PyErr_Occurred()) {
        other = failure_take(session->state);
    }
    if (PyErr_Occurred()) { /* it propagates */
        failure_set_reason(Py_NewRef(value), false);
    } else {
        if (other != NULL) {
            note = PyUnicode_FromFormat("pydbgwrite: that the last record was cut short could not "
                                        "be recorded: %R",
                                        other);
            noted = note == NULL ? NULL : PyObject_CallMethod(value, "add_note", "O", note);
            PyErr_Clear();
        }
        PyErr_Restore(type, value, trace);
        type = value = trace = NULL;
    }
    Py_XDECREF(answer);
    Py_XDECREF(noted);
    Py_XDECREF(note);
    Py_XDECREF(other);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}
