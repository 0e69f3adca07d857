/* Pieces of a recorded write; see recorded_write.h. */
#include "recorded_write.h"

#include <string.h>

#include "../base/record_index.h"
#include "../core/bulk.h"
#include "../core/dispatch.h"
#include "../core/narrow.h"
#include "failures.h"

static bool step_of_piece(void *context, uint64_t done, uint64_t count)
{
    piece_pace *piece = context;

    (void)count;
    piece->stepped = piece->from + done;
    return piece->whole->step(piece->whole->context, piece->stepped, piece->total);
}

uint64_t recorded_most(const core_request *whole, uint32_t width)
{
    return (whole->kind == CORE_SCATTERED ? RECORD_BYTES_SCATTERED : RECORD_BYTES) / width;
}

size_t recorded_payload(const core_request *whole, uint64_t count, uint32_t width)
{
    uint64_t where = whole->kind == CORE_SCATTERED ? count * 8 : 0;

    return (size_t)(8 + where + 2 * count * width);
}

static unsigned char *new_bytes(PyObject **bytes, uint64_t size)
{
    *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    return *bytes == NULL ? NULL : (unsigned char *)PyBytes_AsString(*bytes);
}

bool recorded_take_memory(recorded_write *self, record_piece *piece)
{
    const core_request *whole = self->whole;
    uint32_t width = self->error->width;
    uint64_t address = whole->address + piece->from * width;
    bool scattered = whole->kind == CORE_SCATTERED;
    bool good;

    if (self->log != NULL) {
        unsigned char *room =
            record_log_room(self->log, recorded_payload(whole, piece->count, width));

        good = room != NULL;
        if (good) {
            memcpy(room, scattered ? &piece->count : &address, 8);
            piece->where = (uint64_t *)(void *)(room + 8);
            piece->old = room + 8 + (scattered ? piece->count * 8 : 0);
            piece->fresh = piece->old + piece->count * width;
        }
    } else {
        if (scattered) {
            piece->where = (uint64_t *)(void *)new_bytes(&self->made[0], piece->count * 8);
        } else {
            self->made[0] = PyLong_FromUnsignedLongLong(address);
        }
        piece->old = new_bytes(&self->made[1], piece->count * width);
        piece->fresh = new_bytes(&self->made[2], piece->count * width);
        good = self->made[0] != NULL && piece->old != NULL && piece->fresh != NULL;
    }
    return good;
}

/* Copies a piece's data and addresses. False: a value does not fit, which *error then reports. */
static bool copy_piece(const recorded_write *self, record_piece *piece, core_error *error)
{
    const core_request *whole = self->whole;
    uint32_t width = error->width;
    uint64_t from = piece->from, count = piece->count;

    piece->request = *whole;
    piece->request.foreign = false;
    piece->request.address = whole->address + from * width;
    piece->request.values = (pointer_view){piece->fresh, 8, count};
    if (whole->kind == CORE_SCATTERED) {
        pointer_view_gather(&whole->addresses, from, count, piece->where);
        piece->request.addresses = (pointer_view){(unsigned char *)piece->where, 8, count};
    }
    if (width == 1) {
        memcpy(piece->fresh, pointer_view_at(&whole->values, from), (size_t)count);
        piece->request.values.stride = 1;
    } else if (width == 8) {
        pointer_view_gather(&whole->values, from, count, (uint64_t *)(void *)piece->fresh);
    } else {
        pointer_view part = pointer_view_part(&whole->values, from, count);
        uint64_t narrow = pointer_view_pack(&part, width, core_must_fit(whole, width), piece->fresh,
                                            &error->value);

        if (narrow < count) { /* the caller's memory has changed since it was checked */
            error->status = CORE_POINTER_RANGE;
            error->index = from + narrow;
            return false;
        }
        piece->request.values.first = (unsigned char *)self->wide;
        piece->request.truncate = true; /* whether they fit was checked */
    }
    return true;
}

/* Reads the target's contents at the piece's place. False: *error gives the reason. */
static bool read_old(const recorded_write *self, const record_piece *piece, core_error *error)
{
    core_request read = piece->request;
    uint32_t width = error->width;
    bool scattered = read.kind == CORE_SCATTERED;
    core_pace pace = self->work->pace;
    core_error part;

    read.to = piece->old;
    if (!scattered) {
        pace = core_bulk_pace(&self->session->target, &pace); /* bytes: each call costs the most */
        read.kind = CORE_BYTES;
        read.values.count = piece->count * width;
    } else if (width == 4) {
        read.to = self->wide;
    }
    if (core_read(&self->session->target, &read, &pace, &part) == CORE_OK &&
        read.to == self->wide) {
        pointer_view values = {(unsigned char *)self->wide, 8, piece->count};
        uint64_t unused;

        (void)pointer_view_pack(&values, width, false, piece->old, &unused);
    }
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

void recorded_pace_begin(piece_pace *pace, const recorded_write *self, const record_piece *piece)
{
    pace->pace = self->work->pace;
    pace->pace.step = step_of_piece;
    pace->pace.context = pace;
    pace->whole = &self->work->pace;
    pace->from = piece->from;
    pace->total = self->error->count;
    pace->stepped = UINT64_MAX;
}

void recorded_pace_end(const piece_pace *pace, const recorded_write *self, uint64_t past)
{
    core_error *error = self->error;

    if (past < error->count && pace->stepped != past &&
        !pace->whole->step(pace->whole->context, past, error->count)) {
        error->status = CORE_STOPPED;
    }
}

bool recorded_write_piece(const recorded_write *self, const record_piece *piece)
{
    core_error *error = self->error;
    piece_pace pace;
    core_error part;
    uint64_t past = piece->from + piece->count;
    bool whole;

    if (error->width == 4) {
        for (uint64_t i = 0; i < piece->count; i++) {
            uint32_t narrow;

            memcpy(&narrow, piece->fresh + i * 4, sizeof narrow);
            self->wide[i] = narrow;
        }
    }
    recorded_pace_begin(&pace, self, piece);
    whole = core_write(&self->session->target, &piece->request, &pace.pace, &part) == CORE_OK;
    error->done = piece->from + (whole ? piece->count : part.done);
    if (!whole) {
        error->status = part.status;
        error->hresult = part.hresult;
        error->method = part.method;
    } else {
        recorded_pace_end(&pace, self, past);
    }
    return error->done == past;
}

bool recorded_prepare(recorded_write *self, record_piece *piece, core_error *error)
{
    long_work *work = self->work;
    bool good = recorded_take_memory(self, piece);

    if (!good) {
        work->raised = true;
    } else if (copy_piece(self, piece, error)) {
        long_work_begin(work, self->session, piece->count * error->width);
        work->quiet = true;
        good = read_old(self, piece, error);
        work->quiet = false;
        long_work_end(work);
        good = good && !work->raised;
    } else {
        good = false;
    }
    if (good && self->log != NULL) {
        record_log_put(self->log,
                       (self->whole->kind == CORE_SCATTERED ? RECORD_SCATTERED : RECORD_WRITE) |
                           (self->count > 0 ? RECORD_JOINED : 0),
                       error->width, recorded_payload(self->whole, piece->count, error->width),
                       piece->count * error->width);
    }
    return good;
}

void recorded_explain(const recorded_write *self, uint64_t past)
{
    const module_state *state = self->session->state;
    uint64_t from = self->error->done;
    PyObject *error = failure_take(state);

    if (error != NULL) {
        failure_set(PyObject_CallMethod(
            state->from_c, "record_failed", "OOOKKI", self->record, error,
            self->whole->kind == CORE_SCATTERED ? Py_True : Py_False,
            (unsigned long long)(self->whole->address + from * self->error->width),
            (unsigned long long)(past - from), (unsigned int)self->error->width));
        Py_DECREF(error);
    }
}
