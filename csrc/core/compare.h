/* Compares a range of the target with the values that it should hold, by ReadVirtual, in blocks. */
#ifndef PYDBGWRITE_CORE_COMPARE_H
#define PYDBGWRITE_CORE_COMPARE_H

#include "differences.h"
#include "request.h"

/* Compares the pointers or bytes of a request that has begun with its values. A 32-bit target is
 * compared with the low 32 bits. core_compare() describes the results. */
void core_compare_range(const core_target *target, const core_request *request,
                        const core_pace *pace, core_differences *found, core_error *error);

#endif
