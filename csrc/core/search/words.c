/* The words that a search is for; see words.h. */
#include "words.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* The table has at least twice as many places as values. There are MANY_BITS for each value if all
 * fit half of a first-level cache, and else FEW_BITS. */
#define LEAST_PLACE 64u
#define MANY_BITS   64u
#define FEW_BITS    16u
#define CACHED_BITS (UINT64_C(1) << 17)

static search_bounds bounds_of(uint64_t low, uint64_t high, uint64_t mask, uint32_t width,
                               uint32_t step)
{
    return (search_bounds){mask, low, high - low, width, step};
}

search_words search_words_range(uint64_t low, uint64_t high, uint64_t mask, uint32_t width,
                                uint32_t step)
{
    return (search_words){.bounds = bounds_of(low, high, mask, width, step),
                          .lanes = search_lanes_best()};
}

/* Returns the shift that leaves as many upper bits of a hash as number at least `count` places. */
static unsigned shift_for(uint64_t count)
{
    unsigned shift = 64;

    while (shift > 1 && UINT64_C(1) << (64 - shift) < count) {
        shift--;
    }
    return shift;
}

static void put(search_words *self, uint64_t value)
{
    uint64_t hash = search_hash(value);
    uint64_t last = (UINT64_C(1) << (64 - self->table_shift)) - 1;
    uint64_t place = hash >> self->table_shift;
    uint64_t bit = hash >> self->bits_shift;

    self->bits[bit / 64] |= UINT64_C(1) << bit % 64;
    self->has_zero = self->has_zero || value == 0;
    while (self->table[place] != 0 && self->table[place] != value) {
        place = (place + 1) & last;
    }
    self->table[place] = value;
}

/* Makes empty tables for `count` values. */
static bool make_tables(search_words *self, uint64_t count)
{
    uint64_t places = count > LEAST_PLACE ? count : LEAST_PLACE;
    bool few = places <= CACHED_BITS / MANY_BITS;

    if (count > SIZE_MAX / FEW_BITS / sizeof(uint64_t)) {
        return false;
    }
    self->table_shift = shift_for(places * 2);
    self->bits_shift = shift_for(places * (few ? MANY_BITS : FEW_BITS));
    self->table = calloc((size_t)1 << (64 - self->table_shift), sizeof *self->table);
    self->bits = calloc(((size_t)1 << (64 - self->bits_shift)) / 64, sizeof *self->bits);
    return self->table != NULL && self->bits != NULL;
}

bool search_words_set(search_words *self, const pointer_view *values, uint64_t mask, uint32_t width,
                      uint32_t step)
{
    uint64_t least = UINT64_MAX, greatest = 0;

    *self = (search_words){.lanes = search_lanes_best()};
    if (!make_tables(self, values->count)) {
        return false;
    }
    for (uint64_t i = 0; i < values->count; i++) {
        uint64_t value;

        memcpy(&value, pointer_view_at(values, i), sizeof value);
        value &= mask;
        least = value < least ? value : least;
        greatest = value > greatest ? value : greatest;
        put(self, value);
    }
    self->bounds = bounds_of(least, greatest, mask, width, step);
    if (least == greatest) {
        search_words_free(self); /* the bounds say it all */
    }
    return true;
}

void search_words_free(search_words *self)
{
    free(self->table);
    free(self->bits);
    self->table = self->bits = NULL;
}

static bool in_set(const search_words *self, uint64_t value)
{
    uint64_t hash = search_hash(value);
    uint64_t last = (UINT64_C(1) << (64 - self->table_shift)) - 1;
    uint64_t place = hash >> self->table_shift;
    uint64_t bit = hash >> self->bits_shift;

    if ((self->bits[bit / 64] >> bit % 64 & 1) == 0) {
        return false;
    }
    if (value == 0) {
        return self->has_zero;
    }
    while (self->table[place] != 0 && self->table[place] != value) {
        place = (place + 1) & last;
    }
    return self->table[place] == value;
}

bool search_words_wants(const search_words *self, uint64_t word)
{
    uint64_t value = word & self->bounds.mask;

    return value - self->bounds.low <= self->bounds.span &&
           (self->table == NULL || in_set(self, value));
}

uint64_t search_words_load(const search_words *self, const unsigned char *at)
{
    uint64_t word;
    uint32_t narrow;

    if (self->bounds.width == 8) {
        memcpy(&word, at, sizeof word);
    } else {
        memcpy(&narrow, at, sizeof narrow);
        word = narrow;
    }
    return word;
}

/* Returns whether the bits allow one of a group's aligned 64-bit words to be in the set. Without
 * branches: a processor predicts none of them in memory full of pointers. */
static bool group_may_hold(const search_words *self, const unsigned char *at)
{
    uint64_t any = 0;

    for (size_t i = 0; i < SEARCH_GROUP; i += sizeof(uint64_t)) {
        uint64_t word, bit;

        memcpy(&word, at + i, sizeof word);
        bit = search_hash(word & self->bounds.mask) >> self->bits_shift;
        any |= self->bits[bit / 64] >> bit % 64;
    }
    return (any & 1) != 0;
}

size_t search_words_next(const search_words *self, const unsigned char *data, size_t size,
                         size_t from)
{
    uint32_t width = self->bounds.width, step = self->bounds.step;
    size_t behind = width - step; /* bytes that words reach behind their group */
    size_t at = from;
    bool found = false;

    while (!found && size >= width && at <= size - width) {
        size_t last = size - width;

        if (at % SEARCH_GROUP == 0 && size - at >= behind) {
            at += self->lanes(data + at, (size - at - behind) / SEARCH_GROUP, &self->bounds) *
                  SEARCH_GROUP;
            if (self->bits != NULL && step == 8 && size - at >= SEARCH_GROUP &&
                !group_may_hold(self, data + at)) {
                at += SEARCH_GROUP;
                continue;
            }
        }
        if (at <= last && last - at > SEARCH_GROUP - 1 - at % SEARCH_GROUP) {
            last = at + (SEARCH_GROUP - 1 - at % SEARCH_GROUP);
        }
        while (at <= last && !found) {
            found = search_words_wants(self, search_words_load(self, data + at));
            at += found ? 0 : step;
        }
    }
    return found ? at : size;
}
