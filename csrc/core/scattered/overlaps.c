/* Which scattered elements overlap; see overlaps.h. */
#include "overlaps.h"

#include <stdbool.h>
#include <string.h>

radix_entry *scattered_by_address(const unsigned char *addresses, size_t count,
                                  radix_entry *entries, radix_entry *spare)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(&entries[i].key, addresses + 8 * i, 8);
        entries[i].value = i;
    }
    return radix_sort(entries, spare, count, 0);
}

size_t scattered_next_group(const radix_entry *sorted, size_t count, uint32_t unit, size_t *first)
{
    size_t past = 0;

    for (size_t i = *first + 1; i < count; i++) {
        bool overlaps = sorted[i].key - sorted[i - 1].key < unit;

        if (overlaps && past == 0) {
            *first = i - 1;
        }
        if (overlaps) {
            past = i + 1;
        } else if (past != 0) {
            break;
        }
    }
    return past;
}
