/* A recorded write under way, and its pieces. */
#ifndef PYDBGWRITE_PYTHON_RECORDED_WRITE_H
#define PYDBGWRITE_PYTHON_RECORDED_WRITE_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

#include "../core/request.h"
#include "long_work.h"
#include "record_log.h"
#include "session.h"

/* The most bytes of the target in one record of a row; they stay in a processor's own cache.
 * Exported. */
#define RECORD_BYTES (1u << 19)

/* The same for pointers at separate addresses: the more there are, the more of them share a page.
 * Exported. */
#define RECORD_BYTES_SCATTERED (1u << 21)

/* The most pieces that are recorded before the first of them is written. */
#define RECORDED_MOST_GROUPED 24u

/* A pace whose steps count elements of the whole request. */
typedef struct piece_pace {
    core_pace pace;
    const core_pace *whole;
    uint64_t from, total;
    uint64_t stepped; /* elements at the last step */
} piece_pace;

/* One piece: elements from..from+count-1 of the request. */
typedef struct record_piece {
    uint64_t from, count;
    uint64_t *where;      /* CORE_SCATTERED: the addresses */
    unsigned char *old;   /* the target's former contents */
    unsigned char *fresh; /* the contents to write */
    core_request request; /* the piece alone, over this memory */
} record_piece;

/* A recorded write under way. */
typedef struct recorded_write {
    session_object *session;
    const core_request *whole;
    long_work *work;
    core_error *error;
    PyObject *record;             /* what the session has: a log, or what is called */
    record_log *log;              /* NULL: `record` is called */
    PyObject *made[3];            /* of a piece for the call: where, old and new */
    const core_request *expected; /* what is replaced must have its values; or NULL */
    bool differs;                 /* it has not, or could not be read: nothing was written */
    uint64_t *wide; /* for a target with 32-bit pointers: as many 64-bit ones as a piece has */
    record_piece pieces[RECORDED_MOST_GROUPED];
    size_t count;
} recorded_write;

/* Returns the most elements of a piece. */
uint64_t recorded_most(const core_request *whole, uint32_t width);

/* Returns the bytes of a piece's record. */
size_t recorded_payload(const core_request *whole, uint64_t count, uint32_t width);

/* Finds memory for a piece: in the log itself, or in new objects. False: an exception is set. */
bool recorded_take_memory(recorded_write *self, record_piece *piece);

/* Reads a piece and prepares its record. False: *error has the reason, or an exception is set. */
bool recorded_prepare(recorded_write *self, record_piece *piece, core_error *error);

/* Writes a recorded piece. True: all of it. */
bool recorded_write_piece(const recorded_write *self, const record_piece *piece);

/* Begins the pace of a piece, which stays where it is. */
void recorded_pace_begin(piece_pace *pace, const recorded_write *self, const record_piece *piece);

/* After a whole piece: calls the step if there are more pieces, unless the pace has called it. */
void recorded_pace_end(const piece_pace *pace, const recorded_write *self, uint64_t past);

/* Words the exception of a log that could not take the elements up to `past`, unless it came from
 * outside. */
void recorded_explain(const recorded_write *self, uint64_t past);

#endif
