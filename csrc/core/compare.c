/* Comparing ranges and scattered pointers with what they should hold; see compare.h. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "chunk.h"
#include "read_back.h"
#include "scattered/job.h"

/* Bytes read at a time: enough for an engine to share the reading among processors. On one, a block
 * that stays in its own cache would save a tenth of a write's time. */
#define BLOCK_BYTES 4194304u

/* From so many bytes on it is worth asking an engine that can to compare by itself. */
#define BY_ENGINE_BYTES 262144u

/* Scattered pointers read at a time: the more they are, the more of them share a page. */
#define BLOCK_SCATTERED 1048576u

void core_note_mismatch(core_differences *found, const core_mismatch *mismatch)
{
    uint32_t place = found->kept;

    found->total++;
    while (place > 0 && found->first[place - 1].index > mismatch->index) {
        place--;
    }
    if (place < CORE_MISMATCHES) {
        uint32_t behind = found->kept - place;

        behind -= found->kept == CORE_MISMATCHES ? 1 : 0;
        memmove(&found->first[place + 1], &found->first[place], behind * sizeof found->first[0]);
        found->first[place] = *mismatch;
        found->kept += found->kept < CORE_MISMATCHES ? 1 : 0;
    }
}

/* A comparison of a range under way. */
typedef struct comparison {
    const core_target *target;
    uint64_t address;
    const pointer_view *view; /* bytes: with a stride of 1 */
    core_differences *found;
    core_error *error;
    unsigned char *held;   /* what the target holds, of one block */
    unsigned char *wanted; /* the same number of bytes, where the view does not lie like that */
    bool packed;           /* wanted holds a block of one repeated value */
} comparison;

/* Reads `size` bytes, or what comes before the first that can't be read; *error then says so. */
static uint64_t read_block(const comparison *self, uint64_t address, uint64_t size)
{
    IDebugDataSpaces4 *spaces = self->target->data_spaces;
    core_error *error = self->error;
    uint64_t done = 0;

    while (error->status == CORE_OK && done < size) {
        ULONG wanted = (ULONG)(size - done);
        ULONG read = 0;
        HRESULT status =
            spaces->lpVtbl->ReadVirtual(spaces, address + done, self->held + done, wanted, &read);

        if (status == S_OK && read > 0 && read <= wanted) {
            done += read;
        } else {
            core_engine_error(error, "ReadVirtual", status == S_OK ? E_FAIL : status);
            error->status = CORE_UNREADABLE;
        }
    }
    if (error->status != CORE_OK) {
        ULONG more = 0;

        error->known = core_read_leading(self->target, address + done, self->held + done,
                                         (ULONG)(size - done), &more);
        done += more;
        error->at = address + done;
    }
    return done;
}

/* The bytes that elements from..from+count-1 should be, count being no more than a block's. */
static const unsigned char *wanted_block(comparison *self, uint64_t from, uint64_t count)
{
    const pointer_view *view = self->view;
    uint32_t width = self->error->width;
    const unsigned char *bytes = self->wanted;

    if (view->stride == (ptrdiff_t)width) {
        bytes = pointer_view_at(view, from);
    } else if (!self->packed) {
        uint64_t unused;

        (void)pointer_view_pack(view, from, count, width, false, self->wanted, &unused);
        self->packed = view->stride == 0 && count == BLOCK_BYTES / width;
    }
    return bytes;
}

static uint64_t number_at(const unsigned char *bytes, uint32_t width)
{
    uint64_t number = 0;

    memcpy(&number, bytes, width);
    return number;
}

/* Compares element by element what memcmp() found to differ. */
static void note_differences(const comparison *self, uint64_t from, const unsigned char *wanted,
                             uint64_t size)
{
    uint32_t width = self->error->width;

    for (uint64_t at = 0; at < size; at += width) {
        if (memcmp(wanted + at, self->held + at, width) != 0) {
            uint64_t index = from + at / width;
            core_mismatch mismatch = {index, self->address + index * width,
                                      number_at(wanted + at, width),
                                      number_at(self->held + at, width)};

            core_note_mismatch(self->found, &mismatch);
        }
    }
}

/* Leading elements that the engine itself finds to be equal, of those that lie as in the target. */
static uint64_t equal_by_engine(const comparison *self, uint64_t from, uint64_t count)
{
    IPointerScatter *scatter = self->target->scatter;
    uint32_t width = self->error->width;
    ULONG64 equal = 0;

    if (scatter != NULL && self->wanted == NULL && count >= BY_ENGINE_BYTES / width) {
        (void)scatter->lpVtbl->CountEqualBytes(scatter, self->address + from * width,
                                               pointer_view_at(self->view, from), count * width,
                                               &equal);
    }
    return equal / width;
}

/* One chunk; error->done counts what was compared. */
static void compare_chunk(comparison *self, uint64_t count)
{
    core_error *error = self->error;
    uint32_t width = error->width;
    uint64_t end = error->done + count;

    error->done += equal_by_engine(self, error->done, count);
    while (error->status == CORE_OK && error->done < end) {
        uint64_t from = error->done;
        uint64_t left = end - from;
        uint64_t run = left < BLOCK_BYTES / width ? left : BLOCK_BYTES / width;
        uint64_t came = read_block(self, self->address + from * width, run * width) / width;
        const unsigned char *wanted = wanted_block(self, from, came);

        if (memcmp(wanted, self->held, (size_t)(came * width)) != 0) {
            note_differences(self, from, wanted, came * width);
        }
        error->done += came;
    }
    if (error->status == CORE_UNREADABLE) {
        error->index = error->done;
    }
}

static void conclude(core_error *error, const core_differences *found)
{
    error->landed = found->total > 0 ? found->first[0].index : error->done;
    if (error->status == CORE_OK && found->total > 0) {
        error->status = CORE_DIFFERENT;
        error->known = true;
        error->index = found->first[0].index;
        error->at = found->first[0].address;
    }
}

static void compare_range(comparison *self, const core_pace *pace)
{
    core_error *error = self->error;
    uint64_t count = self->view->count;
    uint64_t size = count < BLOCK_BYTES / error->width ? count * error->width : BLOCK_BYTES;
    bool as_it_lies = self->view->stride == (ptrdiff_t)error->width;
    uint64_t chunk = core_chunk_first(pace, count);
    uint64_t started = core_chunk_start(pace, count, chunk);
    bool more = count > 0;

    self->held = malloc((size_t)size + 1);
    self->wanted = as_it_lies ? NULL : malloc((size_t)size + 1);
    if (self->held == NULL || (!as_it_lies && self->wanted == NULL)) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        error->status = CORE_UNREADABLE;
        error->at = error->address;
        more = false;
    }
    while (more) {
        compare_chunk(self, chunk);
        more = error->status == CORE_OK && core_chunk_next(pace, count, &chunk, &started, error);
    }
    free(self->wanted);
    free(self->held);
    conclude(error, self->found);
}

core_status core_compare_pointers(const core_target *target, uint64_t address,
                                  const pointer_view *view, const core_pace *pace,
                                  core_differences *found, core_error *error)
{
    comparison self = {
        .target = target, .address = address, .view = view, .found = found, .error = error};

    found->total = 0;
    found->kept = 0;
    if (core_begin_pointers(target, address, view->count, error)) {
        compare_range(&self, pace);
    }
    return error->status;
}

core_status core_compare_bytes(const core_target *target, uint64_t address,
                               const unsigned char *data, uint64_t size, const core_pace *pace,
                               core_differences *found, core_error *error)
{
    pointer_view view = {data, 1, size};
    comparison self = {
        .target = target, .address = address, .view = &view, .found = found, .error = error};

    found->total = 0;
    found->kept = 0;
    if (core_begin_bytes(target, address, size, error)) {
        compare_range(&self, pace);
    }
    return error->status;
}

/* Elements from `from` on, of a view. */
static pointer_view part_of(const pointer_view *view, uint64_t from, uint64_t count)
{
    pointer_view part = {pointer_view_at(view, from), view->stride, count};

    return part;
}

/* Does each element hold its own value? That is more than is asked for where addresses come more
 * than once; but it is quick, and mostly true. */
static bool all_equal(const pointer_view *values, const uint64_t *held, uint32_t width)
{
    uint64_t mask = width == 4 ? UINT32_MAX : UINT64_MAX;
    uint64_t differing = 0;

    for (uint64_t i = 0; i < values->count; i++) {
        uint64_t value;

        memcpy(&value, pointer_view_at(values, i), sizeof value);
        differing |= (value ^ held[i]) & mask;
    }
    return differing == 0;
}

/* Notes the elements from `from` on that do not hold their own values. */
static void note_each(core_differences *found, const pointer_view *where,
                      const pointer_view *values, const uint64_t *held, uint64_t from,
                      uint32_t width)
{
    uint64_t mask = width == 4 ? UINT32_MAX : UINT64_MAX;

    for (uint64_t i = 0; i < values->count; i++) {
        core_mismatch mismatch = {.index = from + i, .found = held[i] & mask};

        memcpy(&mismatch.wanted, pointer_view_at(values, i), sizeof mismatch.wanted);
        mismatch.wanted &= mask;
        if (mismatch.wanted != mismatch.found) {
            pointer_view_gather(where, i, 1, &mismatch.address);
            core_note_mismatch(found, &mismatch);
        }
    }
}

core_status core_compare_scattered(const core_target *target, const pointer_view *addresses,
                                   const pointer_view *values, core_overlapping overlapping,
                                   const core_pace *pace, core_differences *found,
                                   core_error *error)
{
    uint64_t count = addresses->count;
    uint64_t block = count < BLOCK_SCATTERED ? count : BLOCK_SCATTERED;
    uint64_t *held = NULL;
    bool equal = true;

    found->total = 0;
    found->kept = 0;
    if (!core_begin_scattered(target, addresses, pace, error) || count == 0) {
        goto done;
    }
    held = malloc((size_t)block * sizeof *held);
    if (held == NULL) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        error->status = CORE_UNREADABLE;
        goto done;
    }
    while (error->status == CORE_OK && equal && error->done < count) {
        uint64_t left = count - error->done;
        uint64_t run = left < block ? left : block;
        pointer_view where = part_of(addresses, error->done, run);
        pointer_view wanted = part_of(values, error->done, run);
        core_error part;

        if (core_read_scattered(target, &where, held, pace, &part) != CORE_OK) {
            error->status = part.status == CORE_ENGINE ? CORE_UNREADABLE : part.status;
            error->hresult = part.hresult;
            error->method = part.method;
            error->known = part.known;
            error->at = part.at;
            error->index = error->done + part.landed;
        } else {
            equal = all_equal(&wanted, held, error->width);
            if (!equal && overlapping == CORE_EACH_COUNTS) {
                note_each(found, &where, &wanted, held, error->done, error->width);
                equal = true; /* there is no more to find out of these */
            }
            error->done += run;
            if (equal && error->done < count && !pace->step(pace->context, error->done, count)) {
                error->status = CORE_STOPPED;
            }
        }
    }
    if (!equal) {
        scattered_job job = {.target = target,
                             .addresses = addresses,
                             .values = values,
                             .error = error,
                             .width = error->width};

        scattered_differences(&job, found);
        error->done = error->status == CORE_OK ? count : 0; /* nobody counted them in order */
    }
    conclude(error, found);
done:
    free(held);
    return error->status;
}
