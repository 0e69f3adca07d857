/* Compares a range of the target with the values that it should hold, by ReadVirtual, in blocks. */
#ifndef PYDBGWRITE_CORE_COMPARE_H
#define PYDBGWRITE_CORE_COMPARE_H

#include "differences.h"
#include "request.h"

/* Compares the pointers or bytes of a request that has begun with its values. A 32-bit target is
 * compared with the low 32 bits. core_compare() describes the results. */
void core_compare_range(const core_target *target, const core_request *request,
                        const core_pace *pace, core_differences *found, core_error *error);

/* Returns whether `count` elements from `from` on of a request's values are those that lie at
 * `held`, `width` bytes each, where the target's contents were read to. */
bool core_holds(const core_request *request, uint32_t width, uint64_t from, uint64_t count,
                const unsigned char *held);

#endif
