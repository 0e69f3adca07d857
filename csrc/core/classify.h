/* What an undo finds in the target: each element against what a write replaced, and what it wrote.
 */
#ifndef PYDBGWRITE_CORE_CLASSIFY_H
#define PYDBGWRITE_CORE_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kind of an element; a set of kinds is their sum. */
enum {
    ELEMENT_OLD = 1,         /* it holds the old bytes */
    ELEMENT_WRITTEN = 2,     /* it holds the written bytes */
    ELEMENT_CONFLICTING = 4, /* it holds neither */
};

/* Gives the kind of each of `count` elements of `unit` bytes: 1, 4 or 8. Where old and written
 * bytes are equal, they count as old. mixed: an element each of whose bytes is old or written
 * counts as written. */
void core_classify(const unsigned char *found, const unsigned char *old,
                   const unsigned char *written, size_t count, uint32_t unit, bool mixed,
                   unsigned char *kinds);

/* Returns the number of elements whose kind is in the set. */
size_t core_count_classified(const unsigned char *kinds, size_t count, unsigned set);

/* Copies the elements whose kind is in the set, one after the other. */
void core_pick_classified(const unsigned char *data, size_t count, uint32_t unit,
                          const unsigned char *kinds, unsigned set, unsigned char *to);

/* The same for the addresses of elements that lie one after the other from `address` on. */
void core_place_classified(uint64_t address, size_t count, uint32_t unit,
                           const unsigned char *kinds, unsigned set, unsigned char *to);

#endif
