/* Recording and writing scattered pointers in one pass; see recorded_kept.h. */
#include "recorded_kept.h"

#include <stdlib.h>
#include <string.h>

#include "../base/record_index.h"
#include "../core/dispatch.h"

/* Moves the elements that are kept to the front of a piece. Returns their number. */
static uint64_t pack_kept(const core_kept *kept, uint64_t count, uint32_t width)
{
    uint64_t packed = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (kept->known[i] != 0) {
            kept->where[packed] = kept->where[i];
            memmove(kept->old + packed * width, kept->old + i * width, width);
            memmove(kept->fresh + packed * width, kept->fresh + i * width, width);
            packed++;
        }
    }
    return packed;
}

/* Completes the record of the elements that are kept, whose room is for `count`. False: there are
 * none. */
static bool record_kept(record_log *log, core_kept *kept, uint64_t count, uint32_t width)
{
    uint64_t packed = pack_kept(kept, count, width);
    unsigned char *payload = (unsigned char *)kept->where - 8;

    if (packed > 0) {
        unsigned char *old = payload + 8 + packed * 8;

        memcpy(payload, &packed, 8);
        if (packed < count) {
            memmove(old, kept->old, (size_t)(packed * width));
            memmove(old + packed * width, kept->fresh, (size_t)(packed * width));
        }
        record_log_put(log, RECORD_SCATTERED, width, (size_t)(8 + packed * (8 + 2 * width)),
                       packed * width);
        (void)record_log_commit(log); /* nothing can fail in memory */
    } else {
        record_log_drop(log);
    }
    return packed > 0;
}

bool recorded_kept_may(const recorded_write *self)
{
    const core_target *target = &self->session->target;

    return self->log != NULL && self->log->file == NULL && self->whole->kind == CORE_SCATTERED &&
           self->whole->spans && !self->whole->foreign && target->stopped;
}

/* Writes the piece, and records what is kept of it. */
static bool write_kept(recorded_write *self, record_piece *piece, core_kept *kept, bool *cut_short)
{
    core_error *error = self->error;
    uint32_t width = error->width;
    piece_pace pace;
    core_error part;
    bool good, recorded;

    piece->request = *self->whole;
    piece->request.checked = true;
    piece->request.addresses =
        pointer_view_part(&self->whole->addresses, piece->from, piece->count);
    piece->request.values = pointer_view_part(&self->whole->values, piece->from, piece->count);
    recorded_pace_begin(&pace, self, piece);
    long_work_begin(self->work, self->session, piece->count * width);
    good = core_write_kept(&self->session->target, &piece->request, &pace.pace, kept, &part);
    long_work_end(self->work);
    recorded = record_kept(self->log, kept, piece->count, width);
    if (!good) {
        self->log->owes_cut = self->log->owes_cut || recorded;
    } else {
        error->status = part.status;
        error->done = piece->from + part.done;
        *cut_short = recorded && part.status != CORE_OK;
        if (self->work->raised) {
            error->status = CORE_STOPPED;
        } else if (part.status == CORE_OK) {
            recorded_pace_end(&pace, self, error->done);
        }
    }
    return good;
}

bool recorded_kept_do(recorded_write *self, bool *cut_short)
{
    core_error *error = self->error;
    uint64_t most = recorded_most(self->whole, error->width);
    uint64_t left = error->count - error->done;
    record_piece piece = {.from = error->done, .count = left < most ? left : most};
    core_kept kept = {.known = NULL};
    bool good = recorded_take_memory(self, &piece);

    if (!good) {
        recorded_explain(self, piece.from + piece.count);
    } else if (self->log->file != NULL) { /* the records have left memory just now */
        record_log_drop(self->log);
        return false;
    } else {
        kept = (core_kept){piece.where, piece.old, piece.fresh, calloc((size_t)piece.count, 1)};
        good = kept.known != NULL;
        if (!good) {
            record_log_drop(self->log);
            (void)PyErr_NoMemory();
        }
    }
    if (good) {
        good = write_kept(self, &piece, &kept, cut_short);
    } else {
        error->status = CORE_STOPPED;
        self->work->raised = true;
        good = true;
    }
    free(kept.known);
    return good;
}
