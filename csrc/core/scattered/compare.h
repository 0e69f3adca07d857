/* Compares each scattered pointer with the value that it should hold. */
#ifndef PYDBGWRITE_CORE_SCATTERED_COMPARE_H
#define PYDBGWRITE_CORE_SCATTERED_COMPARE_H

#include "../differences.h"
#include "../request.h"

/* Compares the pointers of a request that has begun with its values. core_compare() describes the
 * results; error->landed is the number of leading elements that are at no address that differs. */
void core_compare_scattered(const core_target *target, const core_request *request,
                            const core_pace *pace, core_differences *found, core_error *error);

#endif
