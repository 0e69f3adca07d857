/* A stable sort of 64-bit keys that carry 64 bits each: for patches of a million pointers. */
#ifndef PYDBGWRITE_CORE_SCATTERED_RADIX_H
#define PYDBGWRITE_CORE_SCATTERED_RADIX_H

#include <stddef.h>
#include <stdint.h>

typedef struct radix_entry {
    uint64_t key;
    uint64_t value;
} radix_entry;

/* Sorts by key >> shift; entries that are equal there keep their order. `spare` has room for
 * `count` entries. The result is in `entries` or in `spare`; returns which. */
radix_entry *radix_sort(radix_entry *entries, radix_entry *spare, size_t count, unsigned shift);

#endif
