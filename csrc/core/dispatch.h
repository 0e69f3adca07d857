/* A session's requests to the core: each one is carried out in the way of its kind. */
#ifndef PYDBGWRITE_CORE_DISPATCH_H
#define PYDBGWRITE_CORE_DISPATCH_H

#include "differences.h"
#include "request.h"

/* Returns whether the request can be written, as far as that is known without writing. Checks all
 * values, and everything that core_begin() checks. False: *error gives the reason, and nothing was
 * written. */
bool core_check(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error);

/* Writes scattered pointers and keeps what they replace, in one pass. True: error->status is
 * CORE_OK, or CORE_STOPPED with error->done. False: this is not possible here. Either way, only
 * elements that are kept can be written. */
bool core_write_kept(const core_target *target, const core_request *request, const core_pace *pace,
                     const core_kept *kept, core_error *error);

/* Reads all of it to request->to. After a failure error->landed is the number of leading elements
 * that can be read. */
core_status core_read(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error);

/* Compares the target with the request's values.
 *
 * CORE_OK: all are equal. CORE_DIFFERENT: *found has the differences, and error->landed is the
 * number of leading elements that are equal. CORE_UNREADABLE: not all can be read; error->at and
 * index give the place, and landed counts the equal elements before it. The pace's step is called
 * as for a write. */
core_status core_compare(const core_target *target, const core_request *request,
                         const core_pace *pace, core_differences *found, core_error *error);

/* Finds the number of leading elements that the target holds, after a write that failed or stopped.
 */
void core_find_landed(const core_target *target, const core_request *request, core_error *error);

/* The two steps of core_write(): whether the request can begin, and writing it. The second ends in
 * the call that writes, and core_write() is inline: after a system call, each return costs as much
 * as ten more instructions. */
bool core_write_begin(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error);
void core_write_begun(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error);

/* Writes all of it. CORE_OK only if every engine call returned S_OK; after any other answer
 * error->landed is found by reading back. */
static inline core_status core_write(const core_target *target, const core_request *request,
                                     const core_pace *pace, core_error *error)
{
    if (core_write_begin(target, request, pace, error)) {
        core_write_begun(target, request, pace, error);
        if ((error->status == CORE_ENGINE || error->status == CORE_POINTER_RANGE) &&
            !error->known) {
            core_find_landed(target, request, error);
        }
    }
    return error->status;
}

#endif
