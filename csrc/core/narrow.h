/* Targets with 32-bit pointers: which values they can hold, and an engine that narrows by itself.
 */
#ifndef PYDBGWRITE_CORE_NARROW_H
#define PYDBGWRITE_CORE_NARROW_H

#include "request.h"

/* Must the values of a request fit in 32 bits, at a target with pointers of this width? */
bool core_must_fit(const core_request *request, uint32_t width);

/* One full pass over values that must fit: the first that does not is an error, and nothing was
 * written. False: so it is, or the pace's step said stop. */
bool core_check_values(const pointer_view *values, const core_pace *pace, core_error *error);

/* Would core_narrow_by_engine() be faster for chunks of so many pointers? */
bool core_engine_narrows(const core_target *target, const core_request *request, uint64_t count,
                         uint32_t width);

/* Has the engine itself narrow and write the next `count` pointers, from error->done on, where it
 * can and that is faster. Gives how many it wrote, perhaps none. The rest is the caller's to write,
 * and so is finding out why. */
uint64_t core_narrow_by_engine(const core_target *target, const core_request *request,
                               uint64_t count, const core_error *error);

#endif
