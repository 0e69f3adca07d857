/* The C half of a session: an engine's interfaces, who may use them, and when.
 *
 * pydbgwrite.Session subclasses the type that is defined here. Every method that enters the engine
 * stands between session_enter() and session_leave().
 */
#ifndef PYDBGWRITE_PYTHON_SESSION_H
#define PYDBGWRITE_PYTHON_SESSION_H

#include "python.h"

#include <stdbool.h>

#include "../com/client.h"
#include "../core/atomics.h"
#include "../core/pointers.h"
#include "../engines/embedded/target.h"
#include "state.h"

typedef struct session_object {
    PyObject_HEAD module_state *state; /* lives as long as the type, which the object holds */
    IDebugClient5 *client;
    core_target target;
    target *memory;      /* the embedded engine's target, for what COM has no call for; else NULL */
    const char *kind;    /* "process" or "simulated" */
    unsigned long owner; /* the thread that opened it */
    int32_t fork_count;  /* of the process when it was opened */
    uint32_t process_id; /* 0: none */
    atomic_i32 busy;
    bool embedded;
    bool writable;
    bool closed;
} session_object;

/* Embedded-engine calls that move at least so many bytes release the GIL; smaller ones are over
 * sooner than a switch of threads. Exported, so that tests reach both sides. */
#define GIL_RELEASE_BYTES 65536

/* Adds the type to the module and to its state. False: an exception is set. */
bool session_add_type(PyObject *module);

/* A session of `type` (a subclass of the session type) over a client, which it takes over with its
 * one reference. NULL: an exception is set and the client was released. */
session_object *session_create(module_state *state, PyTypeObject *type, IDebugClient5 *client,
                               target *memory, const char *kind, bool writable);

/* May this thread use the session now? Takes it if so. False: an exception is set. */
bool session_enter(session_object *self, bool writes);
void session_leave(session_object *self);

/* Should a call that moves so many bytes let other threads run? */
bool session_releases_gil(const session_object *self, uint64_t bytes);

/* Methods in session_pointers.c and session_bytes.c. */
PyObject *session_write_pointers(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                 PyObject *names);
PyObject *session_read_pointers(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                PyObject *names);
PyObject *session_write(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                        PyObject *names);
PyObject *session_read(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                       PyObject *names);

#endif
