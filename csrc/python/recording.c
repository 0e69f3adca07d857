/* Writes piece by piece, each recorded before it is written; see recording.h. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "../core/dispatch.h"
#include "../core/narrow.h"
#include "failures.h"

PyObject *recording_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    session_object *session = (session_object *)self;
    PyObject *result = NULL;
    PyObject *old_record = NULL, *old_cut_short = NULL;
    bool takes_away, entered = false;

    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "_set_recorder() takes 2 arguments, got %zd", count);
        goto done;
    }
    takes_away = arguments[0] == Py_None && arguments[1] == Py_None;
    if (!takes_away && (!PyCallable_Check(arguments[0]) || !PyCallable_Check(arguments[1]))) {
        PyErr_Format(PyExc_TypeError,
                     "record and cut_short must both be callable, or both None; got objects of %R "
                     "and %R",
                     (PyObject *)Py_TYPE(arguments[0]), (PyObject *)Py_TYPE(arguments[1]));
        goto done;
    }
    /* A session that has ended drops its recorder. */
    if (!(takes_away && session->closed)) {
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

/* A pace whose steps count elements of the whole request. */
typedef struct piece_pace {
    core_pace pace;
    const core_pace *whole;
    uint64_t from, total;
    uint64_t stepped; /* elements at the last step */
} piece_pace;

static bool step_of_piece(void *context, uint64_t done, uint64_t count)
{
    piece_pace *piece = context;

    (void)count;
    piece->stepped = piece->from + done;
    return piece->whole->step(piece->whole->context, piece->stepped, piece->total);
}

/* One piece: elements from..from+count-1 of the request. */
typedef struct record_piece {
    uint64_t from, count;
    PyObject *where;          /* int, or bytes of addresses */
    PyObject *old;            /* bytes: the target's former contents */
    PyObject *fresh;          /* bytes: the contents to write */
    unsigned char *old_bytes; /* of `old`, for use without the GIL */
    uint64_t *values; /* for a target with 32-bit pointers: as many 64-bit ones; otherwise NULL */
    core_request request; /* the piece alone, over the memory of the objects above */
} record_piece;

static unsigned char *bytes_of(PyObject *bytes)
{
    return (unsigned char *)PyBytes_AsString(bytes);
}

static PyObject *new_bytes(uint64_t size)
{
    return PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
}

/* Makes the objects of a piece and copies its data and addresses. False: an exception is set, or a
 * value does not fit, which *error then reports. */
static bool prepare_piece(record_piece *piece, const core_request *whole, core_error *error)
{
    uint32_t width = error->width;
    uint64_t from = piece->from, count = piece->count;
    bool scattered = whole->kind == CORE_SCATTERED;
    pointer_view copy = {NULL, 8, count};
    bool good = false;

    piece->where = scattered ? new_bytes(count * 8)
                             : PyLong_FromUnsignedLongLong(whole->address + from * width);
    piece->old = new_bytes(count * width);
    piece->fresh = new_bytes(count * width);
    if (piece->where == NULL || piece->old == NULL || piece->fresh == NULL) {
        goto done;
    }
    piece->old_bytes = bytes_of(piece->old);
    piece->request = *whole;
    piece->request.foreign = false;
    piece->request.address = whole->address + from * width;
    if (scattered) {
        pointer_view_gather(&whole->addresses, from, count,
                            (uint64_t *)(void *)bytes_of(piece->where));
        copy.first = bytes_of(piece->where);
        piece->request.addresses = copy;
    }
    if (width == 1) {
        memcpy(bytes_of(piece->fresh), pointer_view_at(&whole->values, from), (size_t)count);
        copy.first = bytes_of(piece->fresh);
        copy.stride = 1;
    } else if (width == 8) {
        pointer_view_gather(&whole->values, from, count,
                            (uint64_t *)(void *)bytes_of(piece->fresh));
        copy.first = bytes_of(piece->fresh);
    } else {
        uint64_t wide;

        pointer_view_gather(&whole->values, from, count, piece->values);
        copy.first = (const unsigned char *)piece->values;
        wide = core_must_fit(whole, width) ? pointer_view_find_wide(&copy, 0, count) : count;
        if (wide < count) { /* the caller's memory has changed since it was checked */
            error->status = CORE_POINTER_RANGE;
            error->index = from + wide;
            error->value = piece->values[wide];
            goto done;
        }
        (void)pointer_view_pack(&copy, width, false, bytes_of(piece->fresh), &error->value);
        piece->request.truncate = true; /* whether they fit was checked */
    }
    piece->request.values = copy;
    good = true;
done:
    return good;
}

/* Reads the target's contents at the piece's place. False: *error gives the reason. */
static bool read_old(const core_target *target, const record_piece *piece, const core_pace *pace,
                     core_error *error)
{
    core_request read = piece->request;
    uint32_t width = error->width;
    bool scattered = read.kind == CORE_SCATTERED;
    uint64_t *wide = NULL;
    core_error part;

    read.to = piece->old_bytes;
    if (!scattered) {
        read.kind = CORE_BYTES;
        read.values.count = piece->count * width;
    } else if (width == 4) {
        wide = malloc((size_t)piece->count * sizeof *wide + 1);
        read.to = wide;
    }
    if (read.to == NULL) {
        part = *error;
        part.landed = 0;
        core_engine_error(&part, "ReadVirtual", E_OUTOFMEMORY);
    } else if (core_read(target, &read, pace, &part) == CORE_OK && wide != NULL) {
        pointer_view values = {(const unsigned char *)wide, 8, piece->count};
        uint64_t unused;

        (void)pointer_view_pack(&values, width, false, piece->old_bytes, &unused);
    }
    free(wide);
    if (part.status != CORE_OK) {
        error->status = part.status == CORE_ENGINE ? CORE_UNREADABLE : part.status;
        error->hresult = part.hresult;
        error->method = part.method;
        error->at = scattered ? part.at : part.address + part.landed;
        error->index = piece->from + (scattered ? part.landed : part.landed / width);
        error->purpose = "record";
    }
    return part.status == CORE_OK;
}

/* Writes the recorded piece. True: all of it. */
static bool write_piece(const core_target *target, const record_piece *piece, long_work *work,
                        core_error *error)
{
    piece_pace pace = {.pace = work->pace,
                       .whole = &work->pace,
                       .from = piece->from,
                       .total = error->count,
                       .stepped = UINT64_MAX};
    core_error part;
    uint64_t past = piece->from + piece->count;
    bool whole;

    pace.pace.step = step_of_piece;
    pace.pace.context = &pace;
    whole = core_write(target, &piece->request, &pace.pace, &part) == CORE_OK;
    error->done = piece->from + (whole ? piece->count : part.done);
    if (!whole) {
        error->status = part.status;
        error->hresult = part.hresult;
        error->method = part.method;
    } else if (past < error->count && pace.stepped != past &&
               !work->pace.step(work->pace.context, past, error->count)) {
        error->status = CORE_STOPPED;
    }
    return error->done == past;
}

/* Reads, records and writes one piece. True: it was recorded, but not written completely. */
static bool do_piece(session_object *session, record_piece *piece, const core_request *whole,
                     long_work *work, core_error *error)
{
    PyObject *record = session->record, *answer = NULL;
    bool recorded = false, written = false;
    bool ready;

    Py_INCREF(record); /* the collector may release the session's reference */
    ready = prepare_piece(piece, whole, error);
    if (!ready && error->status == CORE_OK) {
        goto raised;
    }
    if (ready) {
        long_work_begin(work, session, piece->count * error->width);
        work->quiet = true;
        ready = read_old(&session->target, piece, &work->pace, error);
        work->quiet = false;
        long_work_end(work);
    }
    if (!ready) {
        goto done;
    }
    answer = PyObject_CallFunction(record, "OOOI", piece->where, piece->old, piece->fresh,
                                   (unsigned int)error->width);
    if (answer == NULL || !session_not_forked(session)) {
        goto raised;
    }
    recorded = true;
    long_work_begin(work, session, piece->count * error->width);
    written = write_piece(&session->target, piece, work, error);
    long_work_end(work);
    goto done;
raised:
    error->status = CORE_STOPPED;
    work->raised = true;
done:
    Py_XDECREF(answer);
    Py_CLEAR(piece->where);
    Py_CLEAR(piece->old);
    Py_CLEAR(piece->fresh);
    Py_DECREF(record);
    return recorded && !written;
}

bool recording_write(session_object *session, const core_request *request, long_work *work,
                     core_error *error)
{
    const core_target *target = &session->target;
    record_piece piece = {0};
    bool cut_short = false;
    uint64_t most;

    if (request->checked ? !core_begin(target, request, &work->pace, error)
                         : !core_check(target, request, &work->pace, error)) {
        return false;
    }
    most = RECORD_BYTES / error->width;
    if (error->width == 4) {
        piece.values =
            malloc((size_t)(error->count < most ? error->count : most) * sizeof(uint64_t) + 1);
    }
    long_work_end(work);
    if (error->width == 4 && piece.values == NULL) {
        (void)PyErr_NoMemory();
        error->status = CORE_STOPPED;
        work->raised = true;
    }
    while (error->status == CORE_OK && error->done < error->count) {
        uint64_t left = error->count - error->done;

        piece.from = error->done;
        piece.count = left < most ? left : most;
        cut_short = do_piece(session, &piece, request, work, error);
    }
    if (error->status == CORE_ENGINE || error->status == CORE_POINTER_RANGE ||
        error->status == CORE_UNREADABLE) {
        long_work_begin(work, session, UINT64_MAX);
        core_find_landed(target, request, error);
        long_work_end(work);
    }
    free(piece.values);
    return cut_short;
}

void recording_cut_short(const session_object *session)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    PyObject *answer = NULL, *note = NULL, *noted = NULL;
    PyObject *other_type = NULL, *other = NULL, *other_trace = NULL;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    /* In a forked child the journal is its parent's. */
    if (session->cut_short != NULL && !session_is_forked(session)) {
        answer = PyObject_CallNoArgs(session->cut_short);
    }
    if (answer == NULL && PyErr_Occurred()) {
        PyErr_Fetch(&other_type, &other, &other_trace);
        PyErr_NormalizeException(&other_type, &other, &other_trace);
        if (failure_is_outside(session->state, other, other_trace)) { /* it propagates */
            PyException_SetContext(other, value);                     /* steals the reference */
            Py_XDECREF(type);
            Py_XDECREF(trace);
            type = other_type;
            value = other;
            trace = other_trace;
            other_type = other = other_trace = NULL;
        } else {
            note = PyUnicode_FromFormat("pydbgwrite: that the last record was cut short could not "
                                        "be recorded: %R",
                                        other);
            noted = note == NULL ? NULL : PyObject_CallMethod(value, "add_note", "O", note);
        }
        PyErr_Clear();
    }
    Py_XDECREF(answer);
    Py_XDECREF(noted);
    Py_XDECREF(note);
    Py_XDECREF(other_type);
    Py_XDECREF(other);
    Py_XDECREF(other_trace);
    PyErr_Restore(type, value, trace);
}
