/* Where stored pointers lead after a retarget: pairs of an old and a new pointer, or a shift. */
#ifndef PYDBGWRITE_CORE_SEARCH_MOVES_H
#define PYDBGWRITE_CORE_SEARCH_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum search_moves_fault {
    SEARCH_MOVES_GOOD,
    SEARCH_MOVES_SAME,    /* the old pointer at `index` is the new one */
    SEARCH_MOVES_OUTSIDE, /* the new pointer at `index` has bits outside the mask */
    SEARCH_MOVES_TWO_NEW, /* the old pointers at `other` and `index` are one, and have two new */
    SEARCH_MOVES_NOT_OLD, /* the value at `index` is none of the old pointers */
    SEARCH_MOVES_CARRIED, /* what the value at `index` would become has bits outside the mask */
    SEARCH_MOVES_NO_MEMORY
} search_moves_fault;

typedef struct search_pair {
    uint64_t old;
    uint64_t new;
} search_pair;

/* One pair is a shift by their difference: of that pointer, or of a whole range. Several have an
 * open-addressing hash table. Its empty places are zeros, which no pair is: it would be old and new
 * at once. */
typedef struct search_moves {
    uint64_t mask;
    search_pair first;
    search_pair *table; /* NULL: a shift */
    unsigned shift;
    size_t index; /* of a fault */
    size_t other;
} search_moves;

/* Takes `count` pairs, at least one; old pointers are compared under the mask. *self is valid
 * whatever the answer; search_moves_free() follows. */
search_moves_fault search_moves_take(search_moves *self, const uint64_t *old, const uint64_t *new,
                                     size_t count, uint64_t mask);
void search_moves_free(search_moves *self);

/* Gives what each of the values becomes. The bits outside the mask stay. */
search_moves_fault search_moves_all(search_moves *self, const uint64_t *values, size_t count,
                                    uint64_t *moved);

#endif
