/* Recording and writing rows of elements on idle processors; see recorded_row.h. */
#include "recorded_row.h"

#include <string.h>

#include "../base/record_frame.h"
#include "../base/record_index.h"
#include "../core/row.h"

/* Fewer bytes are not shared among processors. */
#define LEAST_BYTES (4 * RECORD_BYTES)

bool recorded_row_may(const recorded_write *self)
{
    const core_request *whole = self->whole;
    const core_error *error = self->error;
    uint32_t width = error->width;

    return self->log != NULL && self->log->file == NULL && whole->kind != CORE_SCATTERED &&
           !whole->foreign && (error->count - error->done) * width >= LEAST_BYTES &&
           core_row_first(&self->session->target, whole->address + error->done * width,
                          recorded_most(whole, width), width) > 0;
}

/* Cuts the next elements into pieces, as many as memory takes. False: these are too few. */
static bool cut(const recorded_write *self, core_row *row)
{
    const core_error *error = self->error;
    uint64_t most = recorded_most(self->whole, row->width);
    uint64_t from = error->done;
    uint64_t each = core_row_first(&self->session->target, self->whole->address + from * row->width,
                                   most, row->width);

    row->count = 0;
    while (from < error->count && row->count < RECORDED_MOST_GROUPED &&
           record_log_keeps(self->log, row->count + 1,
                            recorded_payload(self->whole, most, row->width))) {
        uint64_t left = error->count - from;
        uint64_t count = left < each ? left : each;

        row->pieces[row->count++] = (core_row_piece){.from = from, .count = count};
        from += count;
        each = most;
    }
    return row->count > 0 && (row->expected == NULL || from == error->count);
}

/* Gives the pieces their places in the log. False: an exception is set. */
static bool place(const recorded_write *self, const core_row *row)
{
    unsigned char *room = NULL;

    for (size_t i = 0; i < row->count; i++) {
        core_row_piece *piece = &row->pieces[i];
        size_t payload = recorded_payload(self->whole, piece->count, row->width);

        room = i == 0 ? record_log_room(self->log, payload) : room;
        if (room == NULL) {
            return false;
        }
        piece->old = room + 8;
        piece->fresh = piece->old + piece->count * row->width;
        room += record_frame_size(payload);
    }
    return true;
}

/* Records the pieces that are kept; nothing can fail in memory that the log has. False: there are
 * none. */
static bool record_kept(const recorded_write *self, const core_row *row)
{
    record_log *log = self->log;
    bool recorded = false;

    record_log_drop(log); /* the room of all pieces; it stays as it is */
    for (size_t i = 0; i < row->count; i++) {
        const core_row_piece *piece = &row->pieces[i];
        uint64_t address = self->whole->address + piece->from * row->width;
        size_t payload = recorded_payload(self->whole, piece->count, row->width);
        unsigned char *room = piece->kept ? record_log_room(log, payload) : NULL;

        if (room != NULL) {
            memmove(room + 8, piece->old, payload - 8); /* behind a piece that was not kept */
            memcpy(room, &address, 8);
            record_log_put(log, RECORD_WRITE | (recorded ? RECORD_JOINED : 0), row->width, payload,
                           piece->count * row->width);
            recorded = true;
        }
    }
    if (recorded) {
        (void)record_log_commit(log);
    }
    return recorded;
}

/* Writes the pieces, and counts what was written if all went well. */
static bool write_row(recorded_write *self, const core_row *row)
{
    core_error *error = self->error;
    record_piece piece = {.from = error->done};
    piece_pace pace;
    bool expects = self->expected != NULL;
    bool good, recorded;
    size_t done;

    long_work_begin(self->work, self->session, UINT64_MAX);
    done = core_row_write(&self->session->target, row, &good);
    long_work_end(self->work);
    recorded = record_kept(self, row);
    self->differs = expects && !good && !recorded;
    if (recorded) { /* and so all of it held what is expected: it is not compared again */
        self->expected = NULL;
    }
    if (!good) {
        self->log->owes_cut = self->log->owes_cut || recorded;
    } else if (done > 0) {
        error->done = row->pieces[done - 1].from + row->pieces[done - 1].count;
    }
    if (self->work->raised) {
        error->status = CORE_STOPPED;
    } else if (good && done > 0) {
        recorded_pace_begin(&pace, self, &piece);
        recorded_pace_end(&pace, self, error->done);
    }
    return good && done > 0;
}

bool recorded_row_do(recorded_write *self)
{
    core_row_piece pieces[RECORDED_MOST_GROUPED];
    core_row row = {.request = self->whole,
                    .expected = self->expected,
                    .width = self->error->width,
                    .pieces = pieces};
    bool good = true;

    if (!cut(self, &row)) {
        good = false;
    } else if (place(self, &row)) {
        good = write_row(self, &row);
    } else {
        recorded_explain(self, self->error->done + pieces[0].count);
        self->error->status = CORE_STOPPED;
        self->work->raised = true;
    }
    return good;
}
