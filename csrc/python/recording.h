/* Recording what writes replace, before they happen: what a session's transaction stands on.
 *
 * While a session has a recorder, its writes go in pieces of at most RECORD_BYTES. Of each, what
 * the target holds is read, record(where, old, new, unit) is called, and then `new` is written: the
 * copy that was recorded, not the caller's memory, which may have changed meanwhile.
 */
#ifndef PYDBGWRITE_PYTHON_RECORDING_H
#define PYDBGWRITE_PYTHON_RECORDING_H

#include "python.h"

#include <stdbool.h>

#include "long_work.h"
#include "session.h"

/* Bytes of the target that one record is about, at most. Exported. */
#define RECORD_BYTES (1u << 20)

/* Session._set_recorder(record, cut_short, /) */
PyObject *recording_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count);

/* The request piece by piece; the long work is under way. True: a piece that was recorded went out
 * in part or not at all, and recording_cut_short() is to follow once the exception is set. */
bool recording_write(session_object *session, const core_request *request, long_work *work,
                     core_error *error);

/* Tells the recorder so. The exception that is set stays, with a note of what goes wrong here. */
void recording_cut_short(const session_object *session);

#endif
