/* The sum of a journal's records; see record_index.h. */
#include "record_index.h"

#include <stdlib.h>
#include <string.h>

bool record_index_reserve(record_index *index, size_t more)
{
    size_t room = index->room == 0 ? 16 : index->room;
    record_entry *entries = index->entries;

    if (index->room - index->count >= more) {
        return true;
    }
    while (room - index->count < more && room <= SIZE_MAX / sizeof *entries / 2) {
        room *= 2;
    }
    if (room - index->count < more) {
        return false;
    }
    entries = realloc(entries, room * sizeof *entries);
    if (entries != NULL) {
        index->entries = entries;
        index->room = room;
    }
    return entries != NULL;
}

void record_index_free(record_index *index)
{
    free(index->entries);
    index->entries = NULL;
    index->count = index->room = 0;
}

void record_index_note(record_index *index, uint32_t kind, uint64_t value, uint64_t end,
                       uint64_t chain)
{
    switch (kind & ~RECORD_JOINED) {
    case RECORD_WRITE:
    case RECORD_SCATTERED:
        index->entries[index->count] =
            (record_entry){.offset = index->end, .joined = (kind & RECORD_JOINED) != 0};
        index->count++;
        index->bytes += value;
        index->undone = false;
        break;
    case RECORD_SETTLED:
        index->entries[value].settled = true;
        break;
    case RECORD_CUT_SHORT:
        if (index->count > 0) {
            index->entries[index->count - 1].cut = true;
        }
        break;
    case RECORD_COMMITTED:
        index->committed = true;
        break;
    case RECORD_UNDOING:
        index->undoing = true;
        break;
    case RECORD_UNDONE:
        index->undone = true;
        index->undoing = false;
        index->first = index->count;
        break;
    default:
        break;
    }
    index->end = end;
    index->chain = chain;
    index->number++;
}

static uint64_t number_at(const unsigned char *place)
{
    uint64_t number;

    memcpy(&number, place, sizeof number);
    return number;
}

/* Returns whether so many bytes from this address on are all below 2^64. */
static bool fits(uint64_t address, uint64_t size)
{
    return size == 0 || address <= UINT64_MAX - (size - 1);
}

/* Finds the bytes in the target that a recorded write covers; format.py has the layout. */
static bool bytes_of_write(const record_view *record, uint64_t *bytes)
{
    uint64_t unit = record->unit, first, highest = 0;
    bool good = (unit == 1 || unit == 4 || unit == 8) && record->size >= sizeof first;

    if (!good) {
        return false;
    }
    first = number_at(record->payload);
    if ((record->kind & ~RECORD_JOINED) == RECORD_WRITE) {
        *bytes = (record->size - sizeof first) / 2;
        return (record->size - sizeof first) % 2 == 0 && *bytes % unit == 0 && fits(first, *bytes);
    }
    if (first > RECORD_LONGEST / sizeof first ||
        record->size != sizeof first + first * (sizeof first + 2 * unit)) {
        return false;
    }
    for (uint64_t i = 1; i <= first; i++) {
        uint64_t each = number_at(record->payload + i * sizeof each);

        highest = each > highest ? each : highest;
    }
    *bytes = first * unit;
    return fits(highest, first == 0 ? 0 : unit);
}

bool record_index_value(const record_index *index, const record_view *record, uint64_t *value)
{
    *value = 0;
    switch (record->kind) {
    case RECORD_WRITE:
    case RECORD_SCATTERED:
    case RECORD_WRITE | RECORD_JOINED:
    case RECORD_SCATTERED | RECORD_JOINED:
        return bytes_of_write(record, value);
    case RECORD_SETTLED:
        *value = record->size == sizeof *value ? number_at(record->payload) : UINT64_MAX;
        return *value < index->count;
    case RECORD_CUT_SHORT:
    case RECORD_COMMITTED:
    case RECORD_UNDOING:
    case RECORD_UNDONE:
        return true;
    default: /* a header is the first record, and Python reads it */
        return false;
    }
}

bool record_index_is_cut(const record_index *index, size_t entry)
{
    bool cut = index->entries[entry].cut;

    /* The writes of a group begin together. */
    while (!cut && entry + 1 < index->count && index->entries[entry + 1].joined) {
        entry++;
        cut = index->entries[entry].cut;
    }
    return cut || (entry + 1 == index->count && !index->committed);
}

bool record_index_is_settled(const record_index *index, size_t entry)
{
    return index->undone || index->entries[entry].settled;
}
