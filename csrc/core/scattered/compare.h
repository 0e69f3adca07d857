/* Does each scattered pointer hold what it should? */
#ifndef PYDBGWRITE_CORE_SCATTERED_COMPARE_H
#define PYDBGWRITE_CORE_SCATTERED_COMPARE_H

#include "../differences.h"
#include "../request.h"

/* Compares the pointers of a request that has begun with its values. core_compare() says what comes
 * of it; error->landed is how many leading elements are at no address that differs. */
void core_compare_scattered(const core_target *target, const core_request *request,
                            const core_pace *pace, core_differences *found, core_error *error);

#endif
