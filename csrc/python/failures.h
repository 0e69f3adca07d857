/* The one place where an error of C becomes a Python exception. */
#ifndef PYDBGWRITE_PYTHON_FAILURES_H
#define PYDBGWRITE_PYTHON_FAILURES_H

#include "python.h"

#include <stdbool.h>

#include "../core/error.h"
#include "session.h"

/* Sets an exception that Python made, and takes its reference; NULL: one is set already. */
void failure_set(PyObject *exception);

/* Sets the exception for `error`. The session is entered: the page behind a failing address is
 * looked up, so that the message can name its protection. */
void failure_raise(const session_object *session, const core_error *error, bool writes);

/* The same for a call of the raw layer, about `count` bytes at `address`, that failed. */
void failure_raise_at(const session_object *session, const char *method, HRESULT hresult,
                      uint64_t address, uint64_t count, bool writes);

/* The same for an engine call about no memory. */
void failure_raise_call(const session_object *session, const char *method, HRESULT hresult);

#endif
