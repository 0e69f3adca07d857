/* Pointers at addresses of their own, each: many small writes as few engine calls.
 *
 * A running target gets them in the caller's order: the last pointer of a patch is often the one
 * that publishes it. A stopped one sees only the end, so there they are sorted by page, and pages
 * that hold several are read, patched and written back, where nothing else can change them.
 * Of several values for one address, or for addresses that overlap, the last one counts.
 */
#ifndef PYDBGWRITE_CORE_SCATTERED_SCATTERED_H
#define PYDBGWRITE_CORE_SCATTERED_SCATTERED_H

#include "../pointers.h"

/* As many elements are sorted at a time; the memory for it is 32 bytes an element. */
#define CORE_SORTED_AT_ONCE (UINT64_C(1) << 21)

/* Writes values[i] to addresses[i], for all i; both views have the same count. `spans`: pages may
 * be read and written back. CORE_OK only when every engine call said S_OK.
 *
 * After any other answer error->landed says how many leading elements, in the caller's order, the
 * target holds now (of overlapping ones, what the last leaves), and error->at is the address of the
 * first that it does not. Elements behind that one may be written as well. */
core_status core_write_scattered(const core_target *target, const pointer_view *addresses,
                                 const pointer_view *values, bool truncate, bool spans,
                                 const core_pace *pace, core_error *error);

/* What every scattered request begins with: *error filled in, the pointer size asked for, the
 * addresses looked through. False: the request ends here. */
bool core_begin_scattered(const core_target *target, const pointer_view *addresses,
                          const core_pace *pace, core_error *error);

/* How many leading elements, in the caller's order, the target holds, whose pointers have `width`
 * bytes. False: nobody knows. */
bool core_count_scattered(const core_target *target, const pointer_view *addresses,
                          const pointer_view *values, uint32_t width, uint64_t *landed);

/* Reads the pointer at addresses[i] to to[i], for all i, zero-extended on a 32-bit target. */
core_status core_read_scattered(const core_target *target, const pointer_view *addresses,
                                uint64_t *to, const core_pace *pace, core_error *error);

#endif
