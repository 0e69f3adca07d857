/* Recording what writes replace, before they write: the base of a session's transaction.
 *
 * While a session has a recorder, its writes go in pieces of at most RECORD_BYTES (of pointers at
 * separate addresses RECORD_BYTES_SCATTERED). For each piece, the target's contents are read, the
 * piece is recorded, and then it is written: the recorded copy, not the caller's memory, which may
 * have changed meanwhile. The recorder is a RecordLog, into whose memory the contents are read; or
 * a function, record(where, old, new, unit).
 */
#ifndef PYDBGWRITE_PYTHON_RECORDING_H
#define PYDBGWRITE_PYTHON_RECORDING_H

#include "python.h"

#include <stdbool.h>

#include "long_work.h"
#include "session.h"

/* Session._set_recorder(record, cut_short, /) */
PyObject *recording_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count);

/* Writes the request piece by piece; the long work is under way. True: a recorded piece was written
 * in part or not at all, and recording_cut_short() must follow once the exception is set. */
bool recording_write(session_object *session, const core_request *request, long_work *work,
                     core_error *error);

/* The same if the target holds the values of `expected`, at the same places: what is recorded is
 * compared before anything is written. False: nothing was written. The target holds something else
 * or can't be read, which core_compare() reports; or a comparison before the write takes no longer
 * here. */
bool recording_write_expected(session_object *session, const core_request *request,
                              const core_request *expected, long_work *work, core_error *error,
                              bool *cut_short);

/* Reports this to the recorder. The exception that is set stays, with a note of any failure here.
 */
void recording_cut_short(const session_object *session);

#endif
