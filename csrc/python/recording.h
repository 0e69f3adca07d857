/* Recording what writes replace, before they write: the base of a session's transaction.
 *
 * While a session has a recorder, its writes go in pieces of at most RECORD_BYTES. For each piece,
 * the target's contents are read, record(where, old, new, unit) is called, and then `new` is
 * written: the recorded copy, not the caller's memory, which may have changed meanwhile.
 */
#ifndef PYDBGWRITE_PYTHON_RECORDING_H
#define PYDBGWRITE_PYTHON_RECORDING_H

#include "python.h"

#include <stdbool.h>

#include "long_work.h"
#include "session.h"

/* The most bytes of the target in one record. Exported. */
#define RECORD_BYTES (1u << 20)

/* Session._set_recorder(record, cut_short, /) */
PyObject *recording_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count);

/* Writes the request piece by piece; the long work is under way. True: a recorded piece was written
 * in part or not at all, and recording_cut_short() must follow once the exception is set. */
bool recording_write(session_object *session, const core_request *request, long_work *work,
                     core_error *error);

/* Reports this to the recorder. The exception that is set stays, with a note of any failure here.
 */
void recording_cut_short(const session_object *session);

#endif
