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
#include "../base/atomics.h"
#include "../core/pointers.h"
#include "../engines/backing.h"
#include "../engines/embedded/target.h"
#include "../engines/wrapped/wrapped.h"
#include "state.h"
#include "thread_token.h"

typedef struct session_object {
    PyObject_HEAD module_state *state; /* lives as long as the type, which the object holds */
    IDebugClient5 *client;
    core_target target;
    /* The embedded engine's target, for what COM has no call for; NULL of other
     * engines, and of a closed session. */
    embedded_target *embedded;
    backing *behind;     /* a genuine engine's session, or a wrapped one; NULL: neither */
    const char *kind;    /* "process", "dump", "kernel", "remote" or "simulated" */
    unsigned long owner; /* the thread that opened it, by its ident */
    int32_t owner_token; /* the same by its token, which no later thread gets */
    int32_t fork_count;  /* of the process when it was opened */
    uint32_t process_id; /* 0: none */
    atomic_i32 busy;
    PyObject *record;    /* of a transaction (recording.h); else NULL */
    PyObject *cut_short; /* the same */
    bool genuine;        /* not the embedded engine; of a closed session, too */
    bool wrapped;        /* somebody else's engine: closing leaves it alone */
    bool writable;
    bool closed;
} session_object;

/* Embedded-engine calls that move at least so many bytes release the GIL; smaller ones are over
 * sooner than a switch of threads. Exported, so that tests reach both sides. */
#define GIL_RELEASE_BYTES 65536

/* A new array('Q') of `count` zeros; NULL: an exception is set. */
PyObject *session_array_of_zeros(const module_state *state, uint64_t count);

/* Adds the type to the module and to its state. False: an exception is set. */
bool session_add_type(PyObject *module);

/* A session of `type` (a subclass of the session type) over a client, which it takes over with its
 * one reference. NULL: an exception is set and the client was released. */
session_object *session_create(module_state *state, PyTypeObject *type, IDebugClient5 *client,
                               embedded_target *embedded, const char *kind, bool writable);

/* A session of `type` over an engine that somebody else started, whose interfaces it takes over.
 * NULL: an exception is set and they were released. */
session_object *session_create_wrapped(module_state *state, PyTypeObject *type,
                                       const wrapped_engine *opened, bool writable);

/* Has the target ended, or the server that it is at, as far as that is known? After a failure. */
backing_gone session_gone(const session_object *self);

/* May this thread use the session now? Takes it if so. False: an exception is set. */
bool session_enter(session_object *self, bool writes);
void session_leave(session_object *self);

/* Is this the copy that a forked child has? */
bool session_is_forked(const session_object *self);

/* Should a call that moves so many bytes let other threads run? */
bool session_releases_gil(const session_object *self, uint64_t bytes);

/* Methods in session_pointers.c, session_scattered.c and session_bytes.c. */
PyObject *session_write_pointers(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                 PyObject *names);
PyObject *session_read_pointers(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                PyObject *names);
PyObject *session_write_scattered(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                  PyObject *names);
PyObject *session_read_scattered(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                 PyObject *names);
PyObject *session_write(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                        PyObject *names);
PyObject *session_read(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                       PyObject *names);

/* Methods in session_end.c. */
PyObject *session_detach(PyObject *self, PyObject *unused);
PyObject *session_terminate(PyObject *self, PyObject *unused);
PyObject *session_close(PyObject *self, PyObject *unused);
PyObject *session_end_at_exit(PyObject *self, PyObject *unused);

/* For the collector: lets the target go if nobody has, and releases everything. */
void session_let_go(session_object *self);

/* Methods in session_engine.c, for the Python half of the session and the openings. */
PyObject *session_set_pointer_size(PyObject *self, PyObject *size);
PyObject *session_start_server(PyObject *self, PyObject *options);
PyObject *session_end_servers(PyObject *self, PyObject *unused);
PyObject *session_dispatch(PyObject *self, PyObject *milliseconds);
PyObject *session_interface_address(PyObject *self, PyObject *unused);

/* Methods in session_symbols.c. */
PyObject *session_list_modules(PyObject *self, PyObject *unused);
PyObject *session_symbol_address(PyObject *self, PyObject *name);
PyObject *session_match_symbols(PyObject *self, PyObject *arguments);

/* Sets the exception for an engine call about no memory that failed. */
void session_call_failed(const session_object *self, const char *method, HRESULT hresult);

#endif
