/* Pointers by WriteVirtual and ReadVirtual; see bulk.h. */
#include "bulk.h"

#include <stdlib.h>
#include <string.h>

#include "narrow.h"
#include "read_back.h"
#include "whole.h"

/* Pointers of a first chunk (8 KiB), used before the engine's speed is known, and the most by which
 * the second chunk may be larger. A connection that takes a second for the first is polled each
 * second. */
#define FIRST_CHUNK       1024u
#define FIRST_CHUNK_LOCAL 131072u /* 1 MiB: no such engine takes 50 ms for it */
#define CHUNK_GROWTH      256u

/* Bytes gathered or narrowed at a time: enough for an engine to share a write among processors, and
 * for a million narrow pointers to need only one pass over the caller's memory. */
#define PACKED_BYTES (UINT64_C(4) << 20)

/* Bytes read at a time through a temporary buffer: few enough to stay in a processor's own cache,
 * and so many that the calls of Microsoft's engine, some tens of microseconds each, take little of
 * the total time. */
#define BETWEEN_BYTES 524288u

core_pace core_bulk_pace(const core_target *target, const core_pace *pace)
{
    core_pace bulk = *pace;

    bulk.most = CORE_MOST_POINTERS;
    if (target->scatter == NULL) {
        uint64_t first = target->local ? FIRST_CHUNK_LOCAL : FIRST_CHUNK;

        bulk.first_chunk = pace->first_chunk > first ? pace->first_chunk : first;
        bulk.growth = CHUNK_GROWTH;
    }
    return bulk;
}

/* A write under way. */
typedef struct bulk_write {
    const core_target *target;
    const core_request *request;
    core_error *error;
    unsigned char *packed; /* NULL: the caller's memory itself is written */
    uint64_t capacity;     /* pointers that fit in `packed` */
    bool all_packed;       /* `packed` holds all of them already */
    core_guard *guard;     /* NULL: no pointer can be torn */
} bulk_write;

/* Writes the next `count` pointers; error->done counts them. */
static void write_chunk(const bulk_write *self, uint64_t count)
{
    const core_request *request = self->request;
    core_error *error = self->error;
    uint32_t width = error->width;
    uint64_t past = error->done + count;

    if (!self->all_packed) {
        error->done += core_narrow_by_engine(self->target, request, count, error);
    }
    while (error->status == CORE_OK && error->done < past) {
        uint64_t run = past - error->done;
        uint64_t ready = run;
        const void *data;
        core_outcome outcome;

        if (self->packed == NULL) {
            data = pointer_view_at(&request->values, error->done);
        } else if (self->all_packed) {
            data = self->packed + error->done * width;
        } else {
            pointer_view part;

            run = run < self->capacity ? run : self->capacity;
            part = pointer_view_part(&request->values, error->done, run);
            ready = pointer_view_pack(&part, width, core_must_fit(request, width), self->packed,
                                      &error->value);
            data = self->packed;
        }
        outcome = core_put(self->target, request->address + error->done * width, data,
                           ready * width, width, self->guard);
        error->done += outcome.done / width;
        if (outcome.status != S_OK) {
            core_engine_error(error, outcome.method, outcome.status);
        } else if (ready < run) { /* the caller's memory has changed since it was checked */
            error->status = CORE_POINTER_RANGE;
            error->index = error->done;
        }
    }
}

/* Allocates memory for values that can't be written in place, and checks all values before the
 * engine is called: in one pass if all of them fit in that memory. False: the request ends here. */
static bool prepare(bulk_write *self, const core_pace *pace)
{
    const core_request *request = self->request;
    const pointer_view *values = &request->values;
    core_error *error = self->error;
    uint32_t width = error->width;
    bool must_fit = core_must_fit(request, width);
    /* If the engine narrows chunks of half this request, most of the request comes in chunks that
     * are large enough. */
    bool by_engine = core_engine_narrows(self->target, request, values->count / 2, width);
    bool good = true;

    if (width != 8 || !pointer_view_is_direct(values)) {
        self->capacity =
            values->count < PACKED_BYTES / width ? values->count : PACKED_BYTES / width;
        self->packed = malloc((size_t)(self->capacity * width));
        good = self->packed != NULL;
    }
    if (good && core_put_needs_guard(self->target, request->address, width)) {
        self->guard = core_guard_create();
        good = self->guard != NULL;
    }
    if (!good) {
        core_engine_error(error, "WriteVirtual", E_OUTOFMEMORY);
    } else if (self->packed != NULL && self->capacity == values->count && !by_engine) {
        error->index = pointer_view_pack(values, width, must_fit, self->packed, &error->value);
        self->all_packed = error->index == values->count;
        error->status = self->all_packed ? CORE_OK : CORE_POINTER_RANGE;
    } else if (must_fit && !request->checked) {
        (void)core_check_values(values, pace, error);
    }
    error->known = error->status != CORE_OK; /* nothing was written */
    return error->status == CORE_OK;
}

void core_write_bulk(const core_target *target, const core_request *request, const core_pace *pace,
                     core_error *error)
{
    bulk_write self = {.target = target, .request = request, .error = error};
    core_pace limited = core_bulk_pace(target, pace);
    bool more = error->count > 0 && prepare(&self, pace);
    core_chunks chunks = core_chunks_begin(&limited, error->count);

    while (more) {
        write_chunk(&self, chunks.size);
        more = error->status == CORE_OK && core_chunks_next(&chunks, error);
    }
    core_guard_free(self.guard);
    free(self.packed);
}

/* Reads pointers to `to` through `between`, zero-extended. True if all `count` were read. Those
 * before a failure are copied too. */
static bool get_pointers(const core_target *target, const core_request *request, uint64_t count,
                         unsigned char *between, core_error *error)
{
    uint32_t width = error->width;
    uint64_t *to = (uint64_t *)request->to + error->done;
    uint64_t address = request->address + error->done * width;
    uint64_t most = BETWEEN_BYTES / width;
    bool good = true;

    for (uint64_t done = 0; good && done < count; done += most) {
        uint64_t run = count - done < most ? count - done : most;
        uint64_t came =
            core_get_bytes(target, address + done * width, between, run * width, error) / width;

        if (width == 8) {
            memcpy(to + done, between, (size_t)(came * 8));
        } else {
            for (uint64_t i = 0; i < came; i++) {
                uint32_t narrow;

                memcpy(&narrow, between + i * 4, sizeof narrow);
                to[done + i] = narrow;
            }
        }
        good = came == run;
    }
    return good;
}

/* ReadVirtual may return less than asked for with S_OK, and may end inside a pointer. A remote
 * server's also changes the rest of the buffer that it was given (docs/engine.md). So memory that
 * the caller wants to keep behind a failure is read through a temporary buffer, from which whole
 * pointers are copied. The caller's memory itself is filled only if the engine is known to stop at
 * a page boundary and no pointer lies across one. */
void core_read_bulk(const core_target *target, const core_request *request, const core_pace *pace,
                    core_error *error)
{
    uint32_t width = error->width;
    bool direct = width == 8 &&
                  (request->fresh ||
                   (target->scatter != NULL && !core_put_needs_guard(target, request->address, 8)));
    core_pace limited = core_bulk_pace(target, pace);
    core_chunks chunks;
    unsigned char *between = NULL;
    bool more = error->count > 0;

    if (more && !direct) {
        uint64_t fewer =
            error->count < BETWEEN_BYTES / width ? error->count * width : BETWEEN_BYTES;

        between = malloc((size_t)fewer);
        if (between == NULL) {
            core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
            return;
        }
    }
    chunks = core_chunks_begin(&limited, error->count);
    while (more) {
        uint64_t address = request->address + error->done * width;
        void *part = (uint64_t *)request->to + error->done;
        bool good = direct ? core_get_bytes(target, address, part, chunks.size * 8, error) ==
                                 chunks.size * 8
                           : get_pointers(target, request, chunks.size, between, error);

        error->done += good ? chunks.size : 0;
        more = good && core_chunks_next(&chunks, error);
    }
    if (error->status == CORE_ENGINE) {
        uint64_t readable = 0;

        error->known =
            core_count_readable(target, request->address, error->count * width, &readable);
        error->landed = readable / width;
    }
    free(between);
}
