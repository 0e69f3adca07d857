/* Radix sort from the lowest digit up, over the digits in which the keys differ; see radix.h. */
#include "radix.h"

#include <stdbool.h>

#define DIGIT_BITS 8u
#define DIGITS     (1u << DIGIT_BITS)

/* One pass over one digit. */
static void scatter(const radix_entry *from, radix_entry *to, size_t count, uint64_t least,
                    unsigned shift, unsigned digit_shift)
{
    size_t places[DIGITS] = {0};
    size_t place = 0;

    for (size_t i = 0; i < count; i++) {
        places[(((from[i].key >> shift) - least) >> digit_shift) & (DIGITS - 1)]++;
    }
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t size = places[digit];

        places[digit] = place;
        place += size;
    }
    for (size_t i = 0; i < count; i++) {
        to[places[(((from[i].key >> shift) - least) >> digit_shift) & (DIGITS - 1)]++] = from[i];
    }
}

radix_entry *radix_sort(radix_entry *entries, radix_entry *spare, size_t count, unsigned shift)
{
    uint64_t least = UINT64_MAX, most = 0, before = 0, range = 0;
    bool sorted = true;

    for (size_t i = 0; i < count; i++) {
        uint64_t key = entries[i].key >> shift;

        least = key < least ? key : least;
        most = key > most ? key : most;
        sorted &= key >= before;
        before = key;
    }
    range = sorted || count == 0 ? 0 : most - least;
    for (unsigned digit_shift = 0; digit_shift < 64 && range >> digit_shift > 0;
         digit_shift += DIGIT_BITS) {
        radix_entry *sorted_so_far = spare;

        scatter(entries, spare, count, least, shift, digit_shift);
        spare = entries;
        entries = sorted_so_far;
    }
    return entries;
}
