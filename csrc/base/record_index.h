/* The sum of the records of a journal: where each one is, and what the marks say. */
#ifndef PYDBGWRITE_BASE_RECORD_INDEX_H
#define PYDBGWRITE_BASE_RECORD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record_frame.h"

/* The kinds of records, as pydbgwrite/_journal/format.py numbers them. */
typedef enum record_kind {
    RECORD_HEADER = 1,
    RECORD_WRITE,
    RECORD_SCATTERED,
    RECORD_CUT_SHORT,
    RECORD_COMMITTED,
    RECORD_UNDOING,
    RECORD_SETTLED,
    RECORD_UNDONE,
} record_kind;

/* Added to the kind of a write that begins together with the write of the record before. */
#define RECORD_JOINED 0x100u

/* One recorded write. */
typedef struct record_entry {
    uint64_t offset; /* of its record */
    bool joined;
    bool cut;     /* marked as cut short */
    bool settled; /* an undo has finished it */
} record_entry;

typedef struct record_index {
    record_entry *entries;
    size_t count, room;
    uint64_t end;    /* of the last record, and the place of the next */
    uint64_t number; /* of the next record */
    uint64_t chain;  /* the checksum that the next record continues */
    uint64_t bytes;  /* of the target that the recorded writes cover */
    size_t first;    /* the first write that no finished undo has undone */
    bool committed;
    bool undone;  /* an undo has finished, and nothing was recorded since */
    bool undoing; /* an undo has begun and has not finished */
} record_index;

/* Makes room for so many more records. False: memory is short. */
bool record_index_reserve(record_index *index, size_t more);
void record_index_free(record_index *index);

/* Adds a record, for which there is room. `value` is, for a write, its bytes in the target; for
 * RECORD_SETTLED the number of a write, which exists. */
void record_index_note(record_index *index, uint32_t kind, uint64_t value, uint64_t end,
                       uint64_t chain);

/* Finds the `value` of a record that was read. False: it is no record that can follow these, or
 * what it says is inconsistent. */
bool record_index_value(const record_index *index, const record_view *record, uint64_t *value);

/* Returns whether the target can hold a mixture of old and new bytes of this write: its call may
 * have begun and not ended. */
bool record_index_is_cut(const record_index *index, size_t entry);

/* Returns whether an undo has finished this write. */
bool record_index_is_settled(const record_index *index, size_t entry);

#endif
