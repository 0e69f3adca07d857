/* Reading the records of a journal of this version, and checking each of them. */
#ifndef PYDBGWRITE_PYTHON_RECORD_SCAN_H
#define PYDBGWRITE_PYTHON_RECORD_SCAN_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

#include "record_log.h"

/* Counts the records of the log's file up to `end`, and stops before the first one that is not
 * sound: Python reads that one again, and says what is wrong with it. False: an exception is set,
 * and the records before it count. */
bool record_log_scan(record_log *log, uint64_t end);

#endif
