/* Pointers as plain bytes, through WriteVirtual and ReadVirtual.
 *
 * Microsoft's engine loops pointer by pointer inside WritePointersVirtual, and moves all the bytes
 * of a WriteVirtual at once. Both leave the same contents in the target, after a failure too: every
 * pointer before the first that could not be written, and no byte of that one.
 */
#ifndef PYDBGWRITE_CORE_BULK_H
#define PYDBGWRITE_CORE_BULK_H

#include "request.h"

/* From this count on, "auto" uses WriteVirtual if the engine loops pointer by pointer. Measured on
 * Microsoft's: two pointers take half the time in bulk, and one takes the same time either way
 * (docs/performance.md). The embedded engine is as fast either way. */
#define BULK_THRESHOLD_POINTERS 2

/* Returns the pace of WriteVirtual and ReadVirtual. If an engine loops pointer by pointer in its
 * direct calls, a pace begins with a small chunk; these two do not loop, so only the number of
 * calls counts.
 */
core_pace core_bulk_pace(const core_target *target, const core_pace *pace);

/* Writes all values of a request that has begun. */
void core_write_bulk(const core_target *target, const core_request *request, const core_pace *pace,
                     core_error *error);

/* Reads all pointers, zero-extended on a 32-bit target. After a failure error->landed is the number
 * of leading pointers that can be read. Unless request->fresh is set, `to` stays unchanged from the
 * first pointer on that could not be read, whatever the engine does with the buffer that it is
 * given. */
void core_read_bulk(const core_target *target, const core_request *request, const core_pace *pace,
                    core_error *error);

#endif
