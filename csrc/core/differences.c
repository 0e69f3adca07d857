/* Counting and keeping differences; see differences.h. */
#include "differences.h"

#include <string.h>

void core_note_mismatch(core_differences *found, const core_mismatch *mismatch)
{
    uint32_t place = found->kept;

    found->total++;
    while (place > 0 && found->first[place - 1].index > mismatch->index) {
        place--;
    }
    if (place < CORE_MISMATCHES) {
        uint32_t behind = found->kept - place;

        behind -= found->kept == CORE_MISMATCHES ? 1 : 0;
        memmove(&found->first[place + 1], &found->first[place], behind * sizeof found->first[0]);
        found->first[place] = *mismatch;
        found->kept += found->kept < CORE_MISMATCHES ? 1 : 0;
    }
}

void core_conclude(const core_differences *found, core_error *error)
{
    error->landed = found->total > 0 ? found->first[0].index : error->done;
    if (error->status == CORE_OK && found->total > 0) {
        error->status = CORE_DIFFERENT;
        error->known = true;
        error->index = found->first[0].index;
        error->at = found->first[0].address;
    }
}

void core_unreadable(core_error *error, uint64_t index, uint64_t address)
{
    error->status = CORE_UNREADABLE;
    error->index = index;
    error->at = address;
}
