/* Does the target hold what it should? Asked by ReadVirtual, in blocks: before a write what is
 * expected there, after it what was written.
 */
#ifndef PYDBGWRITE_CORE_COMPARE_H
#define PYDBGWRITE_CORE_COMPARE_H

#include "pointers.h"

/* As many differences are kept; all are counted. */
#define CORE_MISMATCHES 100u

typedef struct core_mismatch {
    uint64_t index;         /* of the element, in the caller's order */
    uint64_t address;       /* of the element */
    uint64_t wanted, found; /* zero-extended, as the target holds them */
} core_mismatch;

typedef struct core_differences {
    uint64_t total;
    uint32_t kept;
    core_mismatch first[CORE_MISMATCHES]; /* those with the smallest indices, in order */
} core_differences;

/* Do the pointers at `address` hold the values of `view`? (A stride of 0 repeats one value.) A
 * 32-bit target is compared with the low 32 bits.
 *
 * CORE_OK: all are equal. CORE_DIFFERENT: *found tells, and error->landed is how many leading ones
 * are equal. CORE_UNREADABLE: not all can be read; error->at and index say where, and landed counts
 * what is equal before that. The pace's step is called as for a write. */
core_status core_compare_pointers(const core_target *target, uint64_t address,
                                  const pointer_view *view, const core_pace *pace,
                                  core_differences *found, core_error *error);

/* The same for bytes: each is an element. */
core_status core_compare_bytes(const core_target *target, uint64_t address,
                               const unsigned char *data, uint64_t size, const core_pace *pace,
                               core_differences *found, core_error *error);

/* What the values of scattered elements say where several cover the same bytes. */
typedef enum core_overlapping {
    CORE_LAST_COUNTS, /* as after a write: of one address the last, which is one difference */
    CORE_EACH_COUNTS, /* as before one: each element is to hold its own value */
} core_overlapping;

/* The same for pointers at addresses of their own. landed is how many leading elements, in the
 * caller's order, are at no address that differs. */
core_status core_compare_scattered(const core_target *target, const pointer_view *addresses,
                                   const pointer_view *values, core_overlapping overlapping,
                                   const core_pace *pace, core_differences *found,
                                   core_error *error);

/* Counts a difference, and keeps it where it is among the first. */
void core_note_mismatch(core_differences *found, const core_mismatch *mismatch);

#endif
