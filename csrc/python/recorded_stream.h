/* Recording into a file by another thread, while this one reads and writes the target. */
#ifndef PYDBGWRITE_PYTHON_RECORDED_STREAM_H
#define PYDBGWRITE_PYTHON_RECORDED_STREAM_H

#include "recorded_write.h"

/* Returns whether the next pieces may be done so. */
bool recorded_stream_may(const recorded_write *self);

/* Records and writes up to RECORDED_MOST_GROUPED pieces. While a piece's record is written to the
 * file, the piece before it is written to the target, and the one behind it is read. True: a piece
 * was recorded, but not written completely. */
bool recorded_stream_do(recorded_write *self);

#endif
