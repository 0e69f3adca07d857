/* Which scattered elements overlap: for the undo of a write that covered some bytes twice. */
#ifndef PYDBGWRITE_CORE_SCATTERED_OVERLAPS_H
#define PYDBGWRITE_CORE_SCATTERED_OVERLAPS_H

#include <stddef.h>
#include <stdint.h>

#include "radix.h"

/* Makes entries of `count` 64-bit addresses in order, each with its index, and sorts them. `spare`
 * has room for as many. Returns the sorted ones, which are in either. */
radix_entry *scattered_by_address(const unsigned char *addresses, size_t count,
                                  radix_entry *entries, radix_entry *spare);

/* Finds the next group of sorted entries from *first on, each of which overlaps the one before it:
 * entries *first..past-1. Returns past; 0 if there is no further group. */
size_t scattered_next_group(const radix_entry *sorted, size_t count, uint32_t unit, size_t *first);

#endif
