/* One write or read that a session was asked for, and the functions that carry it out. */
#ifndef PYDBGWRITE_PYTHON_WRITE_REQUEST_H
#define PYDBGWRITE_PYTHON_WRITE_REQUEST_H

#include "python.h"

#include <stdbool.h>

#include "../core/request.h"
#include "pointer_input.h"
#include "session.h"

typedef struct write_request {
    core_request core;
    bool verify;
    bool expects; /* written only if the target holds `expected` */
    pointer_view expected;
    bool expected_foreign; /* as core_request's `foreign` */
    uint64_t one_expected; /* if it is one for all: the value that `expected` repeats */
} write_request;

/* Sets `foreign` to whether the library reads values or addresses that may be gone. `addresses` may
 * be NULL. To be called when the rest of the request is known. */
void write_request_look(write_request *request, const session_object *session,
                        const Py_buffer *values, const Py_buffer *addresses);

/* Takes the pointers that a request expects (`given` is NULL or None if it expects none): one for
 * all, or as many as are written, through `input`. False: an exception is set. The request must
 * stay at its address. */
bool write_request_expect(write_request *request, pointer_input *input, call_names *names,
                          PyObject *given);

/* Carries out the whole request, in a session that is entered; it is recorded if the session has a
 * recorder. Returns the number of elements written, or NULL: an exception is set. */
PyObject *write_request_run(session_object *session, const write_request *request,
                            PyObject *progress);

/* Carries out a read. False: an exception is set. */
bool read_request_run(session_object *session, const core_request *request, PyObject *progress);

#endif
