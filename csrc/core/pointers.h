/* Writing and reading pointer arrays by WritePointersVirtual and ReadPointersVirtual. */
#ifndef PYDBGWRITE_CORE_POINTERS_H
#define PYDBGWRITE_CORE_POINTERS_H

#include "request.h"

/* Writes all values of a request that has begun. The engine gets the caller's memory itself if the
 * view is direct and the target has 64-bit pointers. A value that must fit and does not is an error
 * before the engine is called. */
void core_write_pointers(const core_target *target, const core_request *request,
                         const core_pace *pace, core_error *error);

/* Reads all pointers, zero-extended on a 32-bit target. After a failure error->landed is the number
 * of leading pointers that can be read, and request->to holds them. */
void core_read_pointers(const core_target *target, const core_request *request,
                        const core_pace *pace, core_error *error);

#endif
