/* Targets with 32-bit pointers: the values they can hold, and an engine that narrows by itself. */
#ifndef PYDBGWRITE_CORE_NARROW_H
#define PYDBGWRITE_CORE_NARROW_H

#include "request.h"

/* Returns whether a request's values must fit in 32 bits, at a target with pointers of this width.
 */
static inline bool core_must_fit(const core_request *request, uint32_t width)
{
    return width == 4 && !request->truncate;
}

/* Checks values that must fit, in one full pass. The first that does not fit is an error, and
 * nothing was written. False: there is such a value, or the pace's step stopped the work. */
bool core_check_values(const pointer_view *values, const core_pace *pace, core_error *error);

/* Returns whether core_narrow_by_engine() would be faster for chunks of this many pointers. */
bool core_engine_narrows(const core_target *target, const core_request *request, uint64_t count,
                         uint32_t width);

/* Has the engine itself narrow and write the next `count` pointers, from error->done on, if it can
 * and that is faster. Returns the number written, which may be 0. The caller writes the rest, and
 * finds the reason. */
uint64_t core_narrow_by_engine(const core_target *target, const core_request *request,
                               uint64_t count, const core_error *error);

#endif
