/* Comparing ranges; see compare.h. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "bulk.h"
#include "read_back.h"

/* Bytes read at a time: enough for an engine to share the reading among processors; or, for an
 * engine that does not, few enough to stay in a processor's own cache. New memory costs, too: each
 * of its pages is a fault. */
#define BLOCK_BYTES       4194304u
#define BLOCK_BYTES_ALONE 524288u

/* From this many bytes on, an engine that can compare by itself is asked to do so. */
#define BY_ENGINE_BYTES 262144u

/* A comparison under way. */
typedef struct comparison {
    const core_target *target;
    const core_request *request;
    core_differences *found;
    core_error *error;
    unsigned char *held;   /* the target's contents of one block */
    unsigned char *wanted; /* as many bytes, if the target holds the values in another form */
    bool packed;           /* wanted holds a block of one repeated value */
    uint64_t block;        /* elements of a block */
} comparison;

/* Returns the bytes that elements from..from+count-1 should have; `count` is at most a block's. */
static const unsigned char *wanted_block(comparison *self, uint64_t from, uint64_t count)
{
    const pointer_view *values = &self->request->values;
    uint32_t width = self->error->width;

    if (self->wanted == NULL) {
        return pointer_view_at(values, from);
    }
    if (!self->packed) {
        pointer_view part = pointer_view_part(values, from, count);
        uint64_t unused;

        (void)pointer_view_pack(&part, width, false, self->wanted, &unused);
        self->packed = values->stride == 0 && count == self->block;
    }
    return self->wanted;
}

static uint64_t number_at(const unsigned char *bytes, uint32_t width)
{
    uint64_t number = 0;

    memcpy(&number, bytes, width);
    return number;
}

/* Compares element by element the bytes that memcmp() found to differ. */
static void note_differences(const comparison *self, uint64_t from, const unsigned char *wanted,
                             uint64_t size)
{
    uint32_t width = self->error->width;

    for (uint64_t at = 0; at < size; at += width) {
        if (memcmp(wanted + at, self->held + at, width) != 0) {
            uint64_t index = from + at / width;
            core_mismatch mismatch = {index, self->request->address + index * width,
                                      number_at(wanted + at, width),
                                      number_at(self->held + at, width)};

            core_note_mismatch(self->found, &mismatch);
        }
    }
}

/* Elements of which another form is made at a time. */
#define FEW 1024u

bool core_holds(const core_request *request, uint32_t width, uint64_t from, uint64_t count,
                const unsigned char *held)
{
    const pointer_view *values = &request->values;
    bool as_it_lies = values->stride == (ptrdiff_t)width;
    bool equal = true;
    uint64_t other[FEW];

    while (equal && count > 0) {
        uint64_t run = as_it_lies || count < FEW ? count : FEW;
        const void *wanted = pointer_view_at(values, from);

        if (!as_it_lies) {
            pointer_view part = pointer_view_part(values, from, run);
            uint64_t unused;

            (void)pointer_view_pack(&part, width, false, other, &unused);
            wanted = other;
        }
        equal = memcmp(wanted, held, (size_t)(run * width)) == 0;
        from += run;
        held += run * width;
        count -= run;
    }
    return equal;
}

/* Returns the number of leading elements of the next `count` that the engine itself finds equal, if
 * the values are stored as in the target. */
static uint64_t equal_by_engine(const comparison *self, uint64_t count)
{
    IPointerScatter *scatter = self->target->scatter;
    uint64_t from = self->error->done;
    uint32_t width = self->error->width;
    ULONG64 equal = 0;

    if (scatter != NULL && self->wanted == NULL && count >= BY_ENGINE_BYTES / width) {
        (void)scatter->lpVtbl->CountEqualBytes(scatter, self->request->address + from * width,
                                               pointer_view_at(&self->request->values, from),
                                               count * width, &equal);
    }
    return equal / width;
}

/* Compares one chunk; error->done counts the compared elements. */
static void compare_chunk(comparison *self, uint64_t count)
{
    core_error *error = self->error;
    uint32_t width = error->width;
    uint64_t past = error->done + count;

    error->done += equal_by_engine(self, count);
    while (error->status == CORE_OK && error->done < past) {
        uint64_t from = error->done;
        uint64_t left = past - from;
        uint64_t run = left < self->block ? left : self->block;
        uint64_t address = self->request->address + from * width;
        uint64_t read = core_get_bytes(self->target, address, self->held, run * width, error);
        uint64_t came = read / width;
        const unsigned char *wanted = wanted_block(self, from, came);

        if (memcmp(wanted, self->held, (size_t)(came * width)) != 0) {
            note_differences(self, from, wanted, came * width);
        }
        error->done += came;
        if (error->status != CORE_OK) {
            core_unreadable(error, error->done, address + read);
        }
    }
}

void core_compare_range(const core_target *target, const core_request *request,
                        const core_pace *pace, core_differences *found, core_error *error)
{
    comparison self = {.target = target, .request = request, .found = found, .error = error};
    uint64_t count = error->count;
    uint64_t most = (target->scatter != NULL ? BLOCK_BYTES : BLOCK_BYTES_ALONE) / error->width;
    uint64_t size = (count < most ? count : most) * error->width;
    bool as_it_lies = request->values.stride == (ptrdiff_t)error->width;
    core_pace limited = core_bulk_pace(target, pace);
    core_chunks chunks = core_chunks_begin(&limited, count);
    bool more = count > 0;

    self.block = most;
    self.held = malloc((size_t)size + 1);
    self.wanted = as_it_lies ? NULL : malloc((size_t)size + 1);
    if (self.held == NULL || (!as_it_lies && self.wanted == NULL)) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        core_unreadable(error, 0, error->address);
        more = false;
    }
    while (more) {
        compare_chunk(&self, chunks.size);
        more = error->status == CORE_OK && core_chunks_next(&chunks, error);
    }
    free(self.wanted);
    free(self.held);
    core_conclude(found, error);
}
