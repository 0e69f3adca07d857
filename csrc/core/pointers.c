/* Writing and reading pointer arrays by WritePointersVirtual and ReadPointersVirtual. */
#include "pointers.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "read_back.h"

/* Elements copied at a time where the engine can't be given the caller's memory: 512 KiB, so that
 * they stay in the processor's second cache and the engine's calls are few (docs/performance.md).
 */
#define SCRATCH_POINTERS 65536u

/* From so many pointers on an engine that narrows by itself may be faster. */
#define BY_ENGINE_POINTERS 524288u

uint32_t core_pointer_size(const core_target *target, core_error *error)
{
    HRESULT status = target->control->lpVtbl->IsPointer64Bit(target->control);
    uint32_t width = 0;

    if (status == S_OK) {
        width = 8;
    } else if (status == S_FALSE) {
        width = 4;
    } else {
        core_engine_error(error, "IsPointer64Bit", status);
    }
    return width;
}

bool core_range_wraps(uint64_t address, uint64_t count, uint32_t width)
{
    /* The bytes from `address` on are one more than UINT64_MAX - address. */
    uint64_t room = UINT64_MAX - address;

    return count > 0 && (room < width - 1u || count - 1 > (room - (width - 1u)) / width);
}

bool core_begin_pointers(const core_target *target, uint64_t address, uint64_t count,
                         core_error *error)
{
    memset(error, 0, sizeof *error);
    error->address = address;
    error->count = count;
    error->width = core_pointer_size(target, error);
    if (error->status == CORE_OK && core_range_wraps(address, count, error->width)) {
        error->status = CORE_WRAPS;
    }
    return error->status == CORE_OK;
}

bool core_check_values(const pointer_view *view, const core_pace *pace, core_error *error)
{
    uint64_t wide = 0;
    bool more = view->count > 0;

    while (more) {
        uint64_t left = view->count - wide;
        uint64_t run = left < CORE_LOOK_POINTERS ? left : CORE_LOOK_POINTERS;
        uint64_t fit = pointer_view_find_wide(view, wide, run);

        wide += fit;
        more = fit == run && wide < view->count && core_chunk_look(pace, view->count, error);
    }
    if (error->status == CORE_OK && wide < view->count) {
        error->status = CORE_POINTER_RANGE;
        error->index = wide;
        pointer_view_gather(view, wide, 1, &error->value);
        error->known = true; /* nothing was written */
    }
    return error->status == CORE_OK;
}

bool core_engine_narrows(const core_target *target, const pointer_view *view, uint64_t count,
                         uint32_t width)
{
    return target->scatter != NULL && width == 4 && count >= BY_ENGINE_POINTERS &&
           view->stride == (ptrdiff_t)sizeof(uint64_t);
}

uint64_t core_write_by_engine(const core_target *target, uint64_t address, const pointer_view *view,
                              uint64_t from, uint64_t count, uint32_t width, bool check)
{
    IPointerScatter *scatter = target->scatter;
    ULONG64 done = 0;

    if (core_engine_narrows(target, view, count, width)) {
        (void)scatter->lpVtbl->WriteNarrowPointers(
            scatter, address + from * width, pointer_view_at(view, from), count, check, &done);
    }
    return done;
}

/* One chunk for a 64-bit target, straight from the caller's memory. */
static HRESULT write_direct(const core_target *target, uint64_t address, const pointer_view *view,
                            uint64_t from, uint64_t count)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    /* Microsoft's declaration takes Ptrs as [in] but without const. */
    ULONG64 *pointers = (ULONG64 *)(uintptr_t)pointer_view_at(view, from);

    return spaces->lpVtbl->WritePointersVirtual(spaces, (ULONG)count, address, pointers);
}

/* One chunk by way of a small buffer: strided input, or a 32-bit target, whose values are checked
 * once more here since the caller's memory may change while the GIL is released. */
static core_status write_copied(const core_target *target, uint64_t address,
                                const pointer_view *view, uint64_t from, uint64_t count,
                                uint32_t width, bool check, uint64_t *scratch, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t done = core_write_by_engine(target, address, view, from, count, width, check);

    error->done += done;
    while (error->status == CORE_OK && done < count) {
        uint64_t run = count - done < SCRATCH_POINTERS ? count - done : SCRATCH_POINTERS;
        uint64_t fits = pointer_view_pack(view, from + done, run, 8, check, scratch, &error->value);
        HRESULT status;

        if (fits < run) {
            error->status = CORE_POINTER_RANGE;
            error->index = from + done + fits;
        } else {
            status = spaces->lpVtbl->WritePointersVirtual(spaces, (ULONG)run,
                                                          address + (from + done) * width, scratch);
            if (status != S_OK) {
                core_engine_error(error, "WritePointersVirtual", status);
            }
        }
        if (error->status == CORE_OK) {
            done += run;
            error->done += run;
        }
    }
    return error->status;
}

core_status core_write_pointers(const core_target *target, uint64_t address,
                                const pointer_view *view, bool truncate, const core_pace *pace,
                                core_error *error)
{
    uint64_t count = view->count;
    uint64_t chunk = core_chunk_first(pace, count);
    uint64_t started = 0;
    uint32_t width = 0;
    uint64_t *scratch = NULL;
    bool direct, more = true;

    if (!core_begin_pointers(target, address, count, error)) {
        goto done;
    }
    width = error->width;
    if (width == 4 && !truncate && !core_check_values(view, pace, error)) {
        goto done;
    }
    direct = width == 8 && pointer_view_is_direct(view);
    if (!direct && count > 0) {
        scratch =
            malloc((size_t)(count < SCRATCH_POINTERS ? count : SCRATCH_POINTERS) * sizeof *scratch);
        if (scratch == NULL) {
            core_engine_error(error, "WritePointersVirtual", E_OUTOFMEMORY);
            error->known = true; /* nothing was written */
            goto done;
        }
    }
    started = core_chunk_start(pace, count, chunk);
    while (more) {
        uint64_t from = error->done;

        if (direct || chunk == 0) {
            HRESULT status = write_direct(target, address + from * width, view, from, chunk);

            if (status == S_OK) {
                error->done += chunk;
            } else {
                core_engine_error(error, "WritePointersVirtual", status);
            }
        } else {
            (void)write_copied(target, address, view, from, chunk, width, width == 4 && !truncate,
                               scratch, error);
        }
        more = error->status == CORE_OK && core_chunk_next(pace, count, &chunk, &started, error);
    }
    if (error->status == CORE_ENGINE || error->status == CORE_POINTER_RANGE) {
        error->known = core_count_pointers(target, address, view, width, &error->landed);
        core_limit_landed(error);
    }
done:
    free(scratch);
    return error->status;
}

core_status core_read_pointers(const core_target *target, uint64_t address, uint64_t count,
                               uint64_t *to, const core_pace *pace, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t chunk = core_chunk_first(pace, count);
    uint64_t started = 0;
    uint32_t width = 0;
    bool more = true;

    if (!core_begin_pointers(target, address, count, error)) {
        goto done;
    }
    width = error->width;
    started = core_chunk_start(pace, count, chunk);
    while (more) {
        uint64_t *part = to + error->done;
        HRESULT status = spaces->lpVtbl->ReadPointersVirtual(spaces, (ULONG)chunk,
                                                             address + error->done * width, part);

        if (status == S_OK) {
            /* Microsoft documents sign extension for 32-bit targets, the genuine engine was seen
             * to zero-extend: one form for all engines. */
            for (uint64_t i = 0; width == 4 && i < chunk; i++) {
                part[i] &= UINT32_MAX;
            }
            error->done += chunk;
        } else {
            core_engine_error(error, "ReadPointersVirtual", status);
        }
        more = error->status == CORE_OK && core_chunk_next(pace, count, &chunk, &started, error);
    }
    if (error->status == CORE_ENGINE) {
        uint64_t readable = 0;

        error->known = core_count_readable(target, address, count * width, &readable);
        error->landed = readable / width;
        if (error->landed > error->done) {
            /* A remote server's engine gives none of those before a failure. */
            core_fetch_pointers(target, address + error->done * width, error->landed - error->done,
                                width, to + error->done);
        }
    }
done:
    return error->status;
}
