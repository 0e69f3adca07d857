/* One write that a session was asked for, and how it is carried out. */
#ifndef PYDBGWRITE_PYTHON_WRITE_REQUEST_H
#define PYDBGWRITE_PYTHON_WRITE_REQUEST_H

#include "python.h"

#include <stdbool.h>

#include "../core/request.h"
#include "session.h"

typedef struct write_request {
    core_request core;
    bool verify;
    bool expects; /* written only where the target holds: */
    pointer_view expected;
    uint64_t one_expected; /* where it is one for all: what `expected` repeats */
} write_request;

/* Takes the pointers that a request expects (`given` is NULL or None where it expects none): one
 * int for all, or as many as are written, as pointer_input_take() takes them. False: an exception
 * is set. The request must stay where it is. */
bool write_request_expect(const module_state *state, PyObject *given, const Py_buffer *buffer,
                          uint64_t **converted, write_request *request);

/* Does all of it, in a session that is entered: recorded where the session has a recorder. The
 * number of elements written, or NULL: an exception is set. */
PyObject *write_request_run(session_object *session, const write_request *request,
                            PyObject *progress);

/* As many bytes in a row take as long as `count` elements do: for the GIL's release. */
uint64_t write_request_work(core_kind kind, uint64_t count);

#endif
