/* Where stored pointers lead after a retarget; see moves.h. */
#include "moves.h"

#include <stdlib.h>

#include "hash.h"

static bool is_empty(const search_pair *place)
{
    return place->old == place->new;
}

/* Returns the place of an old pointer, or the empty one where it belongs. */
static search_pair *place_of(const search_moves *self, uint64_t old)
{
    size_t last = ((size_t)1 << (64 - self->shift)) - 1;
    size_t place = (size_t)(search_hash(old) >> self->shift);

    while (!is_empty(&self->table[place]) && self->table[place].old != old) {
        place = (place + 1) & last;
    }
    return &self->table[place];
}

/* Makes an empty table with at least twice as many places as pairs. */
static bool make_table(search_moves *self, size_t count)
{
    if (count > SIZE_MAX / 4 / sizeof *self->table) {
        return false;
    }
    self->shift = 63;
    while ((size_t)1 << (64 - self->shift) < count * 2) {
        self->shift--;
    }
    self->table = calloc((size_t)1 << (64 - self->shift), sizeof *self->table);
    return self->table != NULL;
}

/* Returns the index of an old pointer that is there. */
static size_t index_of(const uint64_t *old, uint64_t wanted, uint64_t mask)
{
    size_t index = 0;

    while ((old[index] & mask) != wanted) {
        index++;
    }
    return index;
}

search_moves_fault search_moves_take(search_moves *self, const uint64_t *old, const uint64_t *new,
                                     size_t count, uint64_t mask)
{
    *self = (search_moves){.mask = mask, .first = {old[0] & mask, new[0]}};
    if (count > 1 && !make_table(self, count)) {
        return SEARCH_MOVES_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        search_pair pair = {old[i] & mask, new[i]};
        search_pair *place = count > 1 ? place_of(self, pair.old) : NULL;

        self->index = i;
        if ((pair.new & ~mask) != 0) {
            return SEARCH_MOVES_OUTSIDE;
        }
        if (pair.old == pair.new) {
            return SEARCH_MOVES_SAME;
        }
        if (place != NULL && !is_empty(place) && place->new != pair.new) {
            self->other = index_of(old, pair.old, mask);
            return SEARCH_MOVES_TWO_NEW;
        }
        if (place != NULL) {
            *place = pair;
        }
    }
    return SEARCH_MOVES_GOOD;
}

void search_moves_free(search_moves *self)
{
    free(self->table);
    self->table = NULL;
}

search_moves_fault search_moves_all(search_moves *self, const uint64_t *values, size_t count,
                                    uint64_t *moved)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t old = values[i] & self->mask, becomes;

        if (self->table == NULL) {
            becomes = old - self->first.old + self->first.new;
        } else {
            const search_pair *place = place_of(self, old);

            if (is_empty(place)) {
                self->index = i;
                return SEARCH_MOVES_NOT_OLD;
            }
            becomes = place->new;
        }
        if ((becomes & ~self->mask) != 0) {
            self->index = i;
            return SEARCH_MOVES_CARRIED;
        }
        moved[i] = becomes | (values[i] & ~self->mask);
    }
    return SEARCH_MOVES_GOOD;
}
