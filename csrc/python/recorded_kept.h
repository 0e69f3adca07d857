/* Recording and writing scattered pointers in one pass, without a journal. */
#ifndef PYDBGWRITE_PYTHON_RECORDED_KEPT_H
#define PYDBGWRITE_PYTHON_RECORDED_KEPT_H

#include "recorded_write.h"

/* Returns whether the next piece may be done so. */
bool recorded_kept_may(const recorded_write *self);

/* Records and writes the next piece: without a journal, nothing has to be in a file before.
 * *cut_short: it was recorded, but not written completely. False: the piece must be done in the
 * other way. What was written of it is recorded; its elements are recorded again, with what the
 * target holds then. */
bool recorded_kept_do(recorded_write *self, bool *cut_short);

#endif
