/* Pointers at separate addresses: many small writes in few engine calls.
 *
 * A running target gets them in the caller's order: the last pointer of a patch is often the one
 * that publishes it. A stopped target sees only the end, so there they are sorted by page, and
 * pages that hold several are read, patched and written back, if nothing else can change them. If
 * several values go to one address, or to addresses that overlap, the last one counts.
 */
#ifndef PYDBGWRITE_CORE_SCATTERED_SCATTERED_H
#define PYDBGWRITE_CORE_SCATTERED_SCATTERED_H

#include "../request.h"

/* Writes each value of a request that has begun to its address. After a failure, elements behind
 * the first that is not in place may be written as well. */
void core_write_scattered(const core_target *target, const core_request *request,
                          const core_pace *pace, core_error *error);

/* The same in one pass that keeps what it replaces, where pages are read and written back: an
 * element is written only after it is kept. False: this can't be done, or not to the end; then only
 * elements that are kept can be written, and nothing else is known. */
bool core_write_scattered_kept(const core_target *target, const core_request *request,
                               const core_pace *pace, const core_kept *kept, core_error *error);

/* Reads the pointer at each address, zero-extended on a 32-bit target. error->landed is the number
 * of pointers read, in the caller's order, and error->at is the address of the first one not read.
 */
void core_read_scattered(const core_target *target, const core_request *request,
                         const core_pace *pace, core_error *error);

/* Counts the leading elements, in the caller's order, that the target holds, whose pointers have
 * `width` bytes. For overlapping ones, the bytes that the last leaves count. False: the count is
 * unknown. */
bool core_count_scattered(const core_target *target, const core_request *request, uint32_t width,
                          uint64_t *landed);

#endif
