/* What a session asks of the core: one request, carried out in the way that its kind asks for. */
#ifndef PYDBGWRITE_CORE_DISPATCH_H
#define PYDBGWRITE_CORE_DISPATCH_H

#include "differences.h"
#include "request.h"

/* Can the request be written, as far as that can be said without writing? Checks what core_begin()
 * does, and all values. False: *error says why not, and nothing was written. */
bool core_check(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error);

/* Writes all of it. CORE_OK only when every engine call said S_OK; after any other answer
 * error->landed is found by reading back. */
core_status core_write(const core_target *target, const core_request *request,
                       const core_pace *pace, core_error *error);

/* Reads all of it to request->to. error->landed says after a failure how many leading elements can
 * be read. */
core_status core_read(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error);

/* Does the target hold the request's values?
 *
 * CORE_OK: all are equal. CORE_DIFFERENT: *found tells, and error->landed is how many leading ones
 * are equal. CORE_UNREADABLE: not all can be read; error->at and index say where, and landed counts
 * what is equal before that. The pace's step is called as for a write. */
core_status core_compare(const core_target *target, const core_request *request,
                         const core_pace *pace, core_differences *found, core_error *error);

/* Finds out how many leading elements the target holds, after a write that did not go well. */
void core_find_landed(const core_target *target, const core_request *request, core_error *error);

#endif
