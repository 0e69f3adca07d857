/* The words that a search is for: a range, or a set of any size; and finding them in memory. */
#ifndef PYDBGWRITE_CORE_SEARCH_WORDS_H
#define PYDBGWRITE_CORE_SEARCH_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/pointer_view.h"
#include "lanes.h"

typedef struct search_words {
    search_bounds bounds; /* the range, or from the least to the greatest value of the set */
    search_lanes lanes;
    /* A set: an open-addressing hash table, in which 0 is an empty place. A bit for each hash value
     * comes first: most words that are not wanted are seen by it, and it fits a cache. */
    uint64_t *table; /* NULL: all words inside the bounds are wanted */
    uint64_t *bits;
    unsigned table_shift;
    unsigned bits_shift;
    bool has_zero;
} search_words;

/* Words of low..high, both included. mask: the bits that are compared. */
search_words search_words_range(uint64_t low, uint64_t high, uint64_t mask, uint32_t width,
                                uint32_t step);

/* Words of a set of at least one value, compared under the mask. False: memory is short.
 * search_words_free() follows either way. */
bool search_words_set(search_words *self, const pointer_view *values, uint64_t mask, uint32_t width,
                      uint32_t step);
void search_words_free(search_words *self);

/* Returns whether a word is wanted. */
bool search_words_wants(const search_words *self, uint64_t word);

/* Returns the word at this address of the caller's memory. */
uint64_t search_words_load(const search_words *self, const unsigned char *at);

/* Returns the offset of the first wanted word at or after `from`, which must be a multiple of the
 * step, among those that lie wholly within `size` bytes; `size` or more if there is none. */
size_t search_words_next(const search_words *self, const unsigned char *data, size_t size,
                         size_t from);

#endif
