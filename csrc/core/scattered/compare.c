/* Comparing scattered pointers; see compare.h. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "scattered.h"
#include "sites.h"

/* Pointers read at a time: the more there are, the more of them share a page. */
#define BLOCK_SCATTERED 1048576u

/* Returns whether each element holds its own value. If an address occurs more than once, that is
 * more than required; but the check is quick, and mostly succeeds. */
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

/* Notes the elements of a block, which begins with element `from`, that do not hold their own
 * values. */
static void note_each(core_differences *found, const core_request *block, const uint64_t *held,
                      uint64_t from, uint32_t width)
{
    uint64_t mask = width == 4 ? UINT32_MAX : UINT64_MAX;

    for (uint64_t i = 0; i < block->values.count; i++) {
        core_mismatch mismatch = {.index = from + i, .found = held[i] & mask};

        memcpy(&mismatch.wanted, pointer_view_at(&block->values, i), sizeof mismatch.wanted);
        mismatch.wanted &= mask;
        if (mismatch.wanted != mismatch.found) {
            pointer_view_gather(&block->addresses, i, 1, &mismatch.address);
            core_note_mismatch(found, &mismatch);
        }
    }
}

/* Reads a block of a comparison. False: *error gives the reason that not all of it was read. */
static bool read_block(const core_target *target, const core_request *block, const core_pace *pace,
                       core_error *error)
{
    core_error part = *error;

    part.count = block->values.count;
    part.done = 0;
    core_read_scattered(target, block, pace, &part);
    if (part.status != CORE_OK) {
        error->status = part.status;
        error->hresult = part.hresult;
        error->method = part.method;
        error->known = part.known;
        if (part.status == CORE_ENGINE) {
            core_unreadable(error, error->done + part.landed, part.at);
        }
    }
    return part.status == CORE_OK;
}

void core_compare_scattered(const core_target *target, const core_request *request,
                            const core_pace *pace, core_differences *found, core_error *error)
{
    uint64_t count = error->count;
    uint64_t most = count < BLOCK_SCATTERED ? count : BLOCK_SCATTERED;
    uint64_t *held = malloc((size_t)most * sizeof *held + 1);
    bool equal = true;

    if (held == NULL) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        core_unreadable(error, 0, error->address);
    }
    while (error->status == CORE_OK && equal && error->done < count) {
        uint64_t left = count - error->done;
        uint64_t run = left < most ? left : most;
        core_request block = *request;

        block.to = held;
        block.addresses = pointer_view_part(&request->addresses, error->done, run);
        block.values = pointer_view_part(&request->values, error->done, run);
        if (read_block(target, &block, pace, error)) {
            equal = all_equal(&block.values, held, error->width);
            if (!equal && request->each_counts) {
                note_each(found, &block, held, error->done, error->width);
                equal = true; /* nothing more can be found out about these elements */
            }
            error->done += run;
            if (equal && error->done < count && !pace->step(pace->context, error->done, count)) {
                error->status = CORE_STOPPED;
            }
        }
    }
    if (!equal) {
        scattered_job job = {
            .target = target, .request = request, .error = error, .width = error->width};

        scattered_differences(&job, found);
        error->done = error->status == CORE_OK ? count : 0; /* they were not counted in order */
    }
    core_conclude(found, error);
    free(held);
}
