/* Rows of elements whose former contents are kept in the pass that writes them, on idle processors.
 */
#ifndef PYDBGWRITE_CORE_ROW_H
#define PYDBGWRITE_CORE_ROW_H

#include "request.h"

/* A piece of a row: elements from..from+count-1 of the request. */
typedef struct core_row_piece {
    uint64_t from, count;
    unsigned char *old;   /* receives the target's former contents */
    unsigned char *fresh; /* receives what is written, in the target's form */
    bool kept;            /* false at first; true: it received both, and can have been written */
} core_row_piece;

typedef struct core_row {
    const core_request *request;
    const core_request *expected; /* what the target must hold before any is written; or NULL */
    uint32_t width;
    core_row_piece *pieces;
    size_t count;
} core_row;

/* Returns how many elements the first piece from `address` on has: each other one begins at a page
 * and has `most` elements, or is the last one. 0: this can't be done here. */
uint64_t core_row_first(const core_target *target, uint64_t address, uint64_t most, uint32_t width);

/* Keeps and writes the pieces, each of which is kept before any of it is written. Returns how many
 * leading ones were done, perhaps none; nothing of the others was written. *good is false if some
 * failed: then this is known only of those that are not kept. */
size_t core_row_write(const core_target *target, const core_row *row, bool *good);

#endif
