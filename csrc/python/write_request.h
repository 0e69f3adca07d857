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

/* A request without values yet. Not zeroed as a whole: for a struct of this size, gcc makes a
 * string instruction of that, which takes a tenth of the time of all that is done for one pointer.
 */
static inline void write_request_init(write_request *request, core_kind kind)
{
    request->core.kind = kind;
    request->core.address = 0;
    request->core.to = NULL;
    request->core.bulk = false;
    request->core.spans = true;
    request->core.truncate = false;
    request->core.foreign = false;
    request->core.checked = false;
    request->core.each_counts = false;
    request->core.fresh = false;
    request->verify = false;
    request->expects = false;
    request->expected_foreign = false;
}

/* Sets `foreign` to whether the library reads values or addresses that may be gone. `addresses` may
 * be NULL. To be called when the rest of the request is known. */
void write_request_look(write_request *request, const session_object *session,
                        const Py_buffer *values, const Py_buffer *addresses);

/* Takes the pointers that a request expects (`given` is NULL or None if it expects none): one for
 * all, or as many as are written, through `input`. False: an exception is set. The request must
 * stay at its address. */
bool write_request_take_expected(write_request *request, pointer_input *input, call_names *names,
                                 PyObject *given);
static inline bool write_request_expect(write_request *request, pointer_input *input,
                                        call_names *names, PyObject *given)
{
    return given == NULL || given == Py_None ||
           write_request_take_expected(request, input, names, given);
}

/* Carries out the whole request, in a session that is entered; it is recorded if the session has a
 * recorder. Returns the number of elements written, or NULL: an exception is set. */
PyObject *write_request_run(session_object *session, const write_request *request,
                            PyObject *progress);

/* Carries out a read. False: an exception is set. */
bool read_request_run(session_object *session, const core_request *request, PyObject *progress);

#endif
