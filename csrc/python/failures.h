/* The one place where an error of C becomes a Python exception. */
#ifndef PYDBGWRITE_PYTHON_FAILURES_H
#define PYDBGWRITE_PYTHON_FAILURES_H

#include "python.h"

#include <stdbool.h>

#include "../core/error.h"
#include "session.h"

/* Sets an exception that Python made, and takes its reference; NULL: one is set already. */
void failure_set(PyObject *exception);

/* Sets the exception for `error`, unless the handler of a signal has raised one meanwhile. The
 * session is entered: the page behind a failing address is looked up, so that the message can name
 * its protection. */
void failure_raise(const session_object *session, const core_error *error, bool writes);

/* Adds to the exception that is set, which is no engine's but a signal handler's or a callback's,
 * how much of a write the target holds. */
void failure_note(const core_error *error);

/* The same for a call of the raw layer, about `count` bytes at `address`, that failed. */
void failure_raise_at(const session_object *session, const char *method, HRESULT hresult,
                      uint64_t address, uint64_t count, bool writes);

/* The same for an engine call about no memory. */
void failure_raise_call(const session_object *session, const char *method, HRESULT hresult);

/* Was this exception, with its traceback, raised by Ctrl-C or by a signal's handler? Then it goes
 * on, whatever was under way. No exception may be set. */
bool failure_is_outside(const module_state *state, PyObject *error, PyObject *trace);

#endif
