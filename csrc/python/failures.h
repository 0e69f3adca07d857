/* The one place that turns an error of C into a Python exception. */
#ifndef PYDBGWRITE_PYTHON_FAILURES_H
#define PYDBGWRITE_PYTHON_FAILURES_H

#include "python.h"

#include <stdbool.h>

#include "../core/error.h"
#include "session.h"

/* Sets an exception that Python made, and takes over the reference; NULL: one is set already. */
void failure_set(PyObject *exception);

/* Sets the exception for `error`, unless a signal handler has raised one meanwhile. The session is
 * entered: the page behind a failing address is looked up, so that the message can name its
 * protection. */
void failure_raise(const session_object *session, const core_error *error, bool writes);

/* For the exception that is set, which a signal handler or a callback raised and not the engine:
 * adds how much of a write the target holds. */
void failure_note(const core_error *error);

/* The same for a failed call of the raw layer on `count` bytes at `address`. */
void failure_raise_at(const session_object *session, const char *method, HRESULT hresult,
                      uint64_t address, uint64_t count, bool writes);

/* The same for an engine call that is not about memory. */
void failure_raise_call(const session_object *session, const char *method, HRESULT hresult);

/* Takes the exception that is set, with its traceback. NULL: it stays set, since Ctrl-C or a
 * signal's handler raised it, or one has raised another while that was asked; then nothing else
 * goes on. */
PyObject *failure_take(const module_state *state);

/* After PyObject_GetBuffer() or PyObject_GetIter() failed: takes the exception if it says that the
 * object is none such: BufferError, TypeError or ValueError. NULL: it is another one of the
 * object's own code, or from outside, and propagates. */
PyObject *failure_take_refusal(const module_state *state);

/* Makes that the __context__ of the exception that is set, and its __cause__ too; takes over the
 * reference. */
void failure_set_reason(PyObject *reason, bool is_cause);

#endif
