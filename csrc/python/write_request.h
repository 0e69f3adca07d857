/* One write that a session was asked for, whichever its shape, and how it is carried out. */
#ifndef PYDBGWRITE_PYTHON_WRITE_REQUEST_H
#define PYDBGWRITE_PYTHON_WRITE_REQUEST_H

#include "python.h"

#include <stdbool.h>

#include "../core/error.h"
#include "../base/pointer_view.h"
#include "long_work.h"
#include "session.h"

typedef enum write_kind {
    WRITE_POINTERS,  /* one after the other from `address` on */
    WRITE_SCATTERED, /* each at an address of its own */
    WRITE_BYTES,     /* plain bytes from `address` on */
} write_kind;

typedef struct write_request {
    write_kind kind;
    uint64_t address;
    pointer_view addresses; /* WRITE_SCATTERED */
    pointer_view values;    /* WRITE_BYTES: the bytes, with a stride of 1 */
    bool truncate;
    bool bulk;  /* WRITE_POINTERS: by WriteVirtual */
    bool spans; /* WRITE_SCATTERED */
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
uint64_t write_request_work(write_kind kind, uint64_t count);

/* The core's call for a request. */
core_status write_request_core(const core_target *engine, const write_request *request,
                               const core_pace *pace, core_error *error);

/* What a request's core call begins with: *error filled in, the range and the values checked.
 * False: the request ends here. */
bool write_request_check(const core_target *engine, const write_request *request,
                         const core_pace *pace, core_error *error);

/* How many leading elements the target holds now. False: nobody knows. */
bool write_request_count(const core_target *engine, const write_request *request, uint32_t width,
                         uint64_t *landed);

#endif
