/* Recording and writing rows of elements in one pass, on idle processors, without a journal. */
#ifndef PYDBGWRITE_PYTHON_RECORDED_ROW_H
#define PYDBGWRITE_PYTHON_RECORDED_ROW_H

#include "recorded_write.h"

/* Returns whether the next pieces may be done so. */
bool recorded_row_may(const recorded_write *self);

/* Records and writes the next pieces, as many as memory takes. False: the next piece must be done
 * in another way. What was written is recorded; it may be recorded again, with what the target
 * holds then. */
bool recorded_row_do(recorded_write *self);

#endif
