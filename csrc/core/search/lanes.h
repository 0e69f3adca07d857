/* A quick look at many words at once: which groups of memory can hold a wanted word?
 *
 * This is the one file that uses a processor's vector instructions. Each way gives the answers of
 * the portable one, and none of them needs aligned memory.
 */
#ifndef PYDBGWRITE_CORE_SEARCH_LANES_H
#define PYDBGWRITE_CORE_SEARCH_LANES_H

#include <stddef.h>
#include <stdint.h>

/* Words are looked at in groups of this many bytes. */
#define SEARCH_GROUP ((size_t)64)

/* A word is inside the bounds if (word & mask) - low, as an unsigned number, is at most span. */
typedef struct search_bounds {
    uint64_t mask;
    uint64_t low;
    uint64_t span;
    uint32_t width; /* of a word: 8 or 4 bytes; then the numbers above fit 32 bits */
    uint32_t step;  /* words begin at multiples of this power of two, at most the width */
} search_bounds;

/* Returns the number of leading groups without a word inside the bounds. It may return less if a
 * group has words near the bounds: the caller looks at each word of the next group. The words of
 * the last group may reach width - step bytes behind it, which must be readable. */
typedef size_t (*search_lanes)(const unsigned char *data, size_t groups,
                               const search_bounds *bounds);

/* Returns the fastest way that this processor has. */
search_lanes search_lanes_best(void);

#define SEARCH_MOST_WAYS 3

/* Fills in every way that this processor has, the portable one first, and returns their number. */
size_t search_lanes_all(search_lanes ways[SEARCH_MOST_WAYS]);

#endif
