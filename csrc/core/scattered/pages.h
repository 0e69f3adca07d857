/* Sorted scattered pointers of a few pages under way: as spans that are read, patched and written
 * back, and as separate pieces. */
#ifndef PYDBGWRITE_CORE_SCATTERED_PAGES_H
#define PYDBGWRITE_CORE_SCATTERED_PAGES_H

#include "job.h"
#include "radix.h"

/* Pages that are read at once, patched and written back. */
#define SPAN_PAGES 64u

/* Pieces moved separately, at once: as many ranges as a system call takes; or, for an engine that
 * takes a call for each, few enough that it still answers in time. */
#define PIECES         1024u
#define PIECES_BY_CALL 128u

typedef struct span_page {
    size_t first, past;   /* its entries */
    unsigned char *bytes; /* the place of the page's beginning in the buffer */
} span_page;

/* Used by one thread. */
typedef struct pages_under_way {
    const scattered_job *job;
    const radix_entry *entries;
    size_t before;              /* sorted elements before entries[0] */
    const pointer_mover *mover; /* of a thread that shares the work; NULL: the job's target */
    core_guard *guard;          /* NULL, and so is `old`: no write ends inside a pointer */
    unsigned char *old;         /* of SPAN_PAGES */
    ULONG span_count;
    size_t page_count;
    size_t in_spans; /* elements */
    ULONG piece_count;
    size_t in_pieces;
    pointer_range spans[SPAN_PAGES];
    span_page touched[SPAN_PAGES];
    pointer_range pieces[PIECES];
    uint64_t places[PIECES]; /* reading: each one's destination */
    unsigned char packed[PIECES * 8];
    unsigned char bytes[SPAN_PAGES * SPAN_PAGE];
} pages_under_way;

/* Nothing is under way. */
void scattered_pages_init(pages_under_way *self, const scattered_job *job);

/* Returns the entry behind those of the page of entries[first], `count` at most, and the number of
 * separate pieces that they are. */
size_t scattered_page_end(const pages_under_way *self, size_t first, size_t count, size_t *pieces);

/* Adds entries first..past-1, which are all of one page, after entries of other pages. Moves those
 * before if there is no more room. False: a move failed, and nothing is under way. */
bool scattered_add_span(pages_under_way *self, size_t first, size_t past);
bool scattered_add_pieces(pages_under_way *self, size_t first, size_t past);

/* Moves all that is under way. */
bool scattered_flush(pages_under_way *self);

#endif
