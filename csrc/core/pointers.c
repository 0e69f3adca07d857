/* An engine's own pointer calls; see pointers.h. */
#include "pointers.h"

#include <stdlib.h>

#include "narrow.h"
#include "read_back.h"

/* Elements copied at a time if the engine can't be given the caller's memory: 512 KiB, so that they
 * stay in the processor's second cache and the engine's calls are few (docs/performance.md). */
#define SCRATCH_POINTERS 65536u

/* Writes the next `count` pointers, which lie at `pointers`, by one call. */
static void write_chunk(const core_target *target, const core_request *request,
                        const void *pointers, uint64_t count, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t address = request->address + error->done * error->width;
    /* Microsoft's declaration takes Ptrs as [in] but without const. */
    HRESULT status = spaces->lpVtbl->WritePointersVirtual(spaces, (ULONG)count, address,
                                                          (ULONG64 *)(uintptr_t)pointers);

    if (status == S_OK) {
        error->done += count;
    } else {
        core_engine_error(error, "WritePointersVirtual", status);
    }
}

/* Writes one chunk through a small buffer: strided input, or a 32-bit target. A 32-bit target's
 * values are checked once more here, since the caller's memory may change while the GIL is
 * released. */
static void write_copied(const core_target *target, const core_request *request, uint64_t count,
                         uint64_t *scratch, core_error *error)
{
    uint64_t past = error->done + count;

    error->done += core_narrow_by_engine(target, request, count, error);
    while (error->status == CORE_OK && error->done < past) {
        uint64_t left = past - error->done;
        uint64_t run = left < SCRATCH_POINTERS ? left : SCRATCH_POINTERS;
        pointer_view part = pointer_view_part(&request->values, error->done, run);
        uint64_t fit = pointer_view_pack(&part, 8, core_must_fit(request, error->width), scratch,
                                         &error->value);

        if (fit < run) {
            error->status = CORE_POINTER_RANGE;
            error->index = error->done + fit;
        } else {
            write_chunk(target, request, scratch, run, error);
        }
    }
}

void core_write_pointers(const core_target *target, const core_request *request,
                         const core_pace *pace, core_error *error)
{
    const pointer_view *values = &request->values;
    uint64_t count = values->count;
    bool direct = count == 0 || (error->width == 8 && pointer_view_is_direct(values));
    uint64_t *scratch = NULL;
    core_chunks chunks;
    bool more = true;

    if (core_must_fit(request, error->width) && !request->checked &&
        !core_check_values(values, pace, error)) {
        return;
    }
    if (!direct) {
        scratch =
            malloc((size_t)(count < SCRATCH_POINTERS ? count : SCRATCH_POINTERS) * sizeof *scratch);
        if (scratch == NULL) {
            core_engine_error(error, "WritePointersVirtual", E_OUTOFMEMORY);
            error->known = true; /* nothing was written */
            return;
        }
    }
    chunks = core_chunks_begin(pace, count);
    while (more) {
        if (direct) {
            write_chunk(target, request, pointer_view_at(values, error->done), chunks.size, error);
        } else {
            write_copied(target, request, chunks.size, scratch, error);
        }
        more = error->status == CORE_OK && chunks.started > 0 && core_chunks_next(&chunks, error);
    }
    free(scratch);
}

void core_read_pointers(const core_target *target, const core_request *request,
                        const core_pace *pace, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint32_t width = error->width;
    uint64_t *to = request->to;
    core_chunks chunks = core_chunks_begin(pace, error->count);
    bool more = true;

    while (more) {
        uint64_t *part = to + error->done;
        HRESULT status = spaces->lpVtbl->ReadPointersVirtual(
            spaces, (ULONG)chunks.size, request->address + error->done * width, part);

        if (status == S_OK) {
            /* Microsoft documents sign extension for 32-bit targets, but its engine was seen to
             * zero-extend. All engines get one form here. */
            for (uint64_t i = 0; width == 4 && i < chunks.size; i++) {
                part[i] &= UINT32_MAX;
            }
            error->done += chunks.size;
        } else {
            core_engine_error(error, "ReadPointersVirtual", status);
        }
        more = error->status == CORE_OK && core_chunks_next(&chunks, error);
    }
    if (error->status == CORE_ENGINE) {
        uint64_t readable = 0;

        error->known =
            core_count_readable(target, request->address, error->count * width, &readable);
        error->landed = readable / width;
        if (error->landed > error->done) {
            /* A remote server's engine returns none of the pointers before a failure. */
            core_fetch_pointers(target, request->address + error->done * width,
                                error->landed - error->done, width, to + error->done);
        }
    }
}
