/* Values for targets with 32-bit pointers; see narrow.h. */
#include "narrow.h"

/* From this many pointers on, an engine that narrows by itself may be faster. */
#define BY_ENGINE_POINTERS 524288u

bool core_check_values(const pointer_view *values, const core_pace *pace, core_error *error)
{
    uint64_t fit = 0;
    bool more = values->count > 0;

    while (more) {
        uint64_t left = values->count - fit;
        uint64_t run = left < CORE_CHECKED_AT_ONCE ? left : CORE_CHECKED_AT_ONCE;
        uint64_t found = pointer_view_find_wide(values, fit, run);

        fit += found;
        more = found == run && fit < values->count && core_pace_check(pace, values->count, error);
    }
    if (error->status == CORE_OK && fit < values->count) {
        error->status = CORE_POINTER_RANGE;
        error->index = fit;
        pointer_view_gather(values, fit, 1, &error->value);
        error->known = true; /* nothing was written */
    }
    return error->status == CORE_OK;
}

bool core_engine_narrows(const core_target *target, const core_request *request, uint64_t count,
                         uint32_t width)
{
    return target->scatter != NULL && width == 4 && count >= BY_ENGINE_POINTERS &&
           request->values.stride == (ptrdiff_t)sizeof(uint64_t);
}

uint64_t core_narrow_by_engine(const core_target *target, const core_request *request,
                               uint64_t count, const core_error *error)
{
    IPointerScatter *scatter = target->scatter;
    ULONG64 done = 0;

    if (core_engine_narrows(target, request, count, error->width)) {
        (void)scatter->lpVtbl->WriteNarrowPointers(
            scatter, request->address + error->done * error->width,
            pointer_view_at(&request->values, error->done), count,
            core_must_fit(request, error->width), &done);
    }
    return done;
}
