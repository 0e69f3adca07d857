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
#include "../core/request.h"
#include "../engines/backing.h"
#include "../engines/embedded/target.h"
#include "../engines/wrapped/wrapped.h"
#include "state.h"

typedef struct session_object {
    PyObject_HEAD module_state *state; /* lives as long as the type, which the object holds */
    IDebugClient5 *client;
    core_target target;
    /* The embedded engine's target, for what COM has no call for; NULL of other
     * engines, and of a closed session. */
    embedded_target *embedded;
    backing *behind;     /* dbgeng's session, or a wrapped one; NULL: neither */
    const char *kind;    /* "process", "dump", "kernel", "remote" or "simulated" */
    unsigned long owner; /* the thread that opened it, by its ident */
    int32_t owner_token; /* the same by its token, which no later thread gets */
    int32_t forks;       /* forks_seen() when it was opened */
    uint32_t process_id; /* 0: none */
    atomic_i32 busy;
    PyObject *record;    /* of a transaction (recording.h); else NULL */
    PyObject *cut_short; /* the same */
    bool dbgeng;         /* not the embedded engine; of a closed session, too */
    bool wrapped;        /* somebody else's engine: closing leaves it alone */
    bool writable;
    bool closed;
} session_object;

/* In simulated memory, calls that move at least so many bytes release the GIL; smaller ones are
 * over sooner than a switch of threads. Everywhere else the kernel or the engine may sleep, and
 * each call releases it. Exported, so that tests reach both sides. */
#define GIL_RELEASE_BYTES 65536

/* A session of `type` (a subclass of the session type) over a client, which it takes over with its
 * one reference. NULL: an exception is set and the client was released. */
session_object *session_create(module_state *state, PyTypeObject *type, IDebugClient5 *client,
                               embedded_target *embedded, const char *kind, bool writable);

/* The same over a target of the embedded engine, which is destroyed where that fails. */
session_object *session_create_embedded(module_state *state, PyTypeObject *type,
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

/* The parts of session_enter() that endings without an owner ask for, without an exception: does it
 * belong to this thread; is it the copy that a forked child has; takes it unless it is in use. */
bool session_owned(const session_object *self);
bool session_is_forked(const session_object *self);
bool session_take(session_object *self);

/* Is this still the process that opened it? Asked again wherever Python code has run within a call:
 * it may have forked. False: an exception is set. */
bool session_not_forked(const session_object *self);

/* No transaction records this session. False: an exception is set, that `what` can't go with one,
 * and `why`. */
bool session_not_recorded(const session_object *self, const char *what, const char *why);

/* Is the caller's memory handed to the kernel as it lies, which answers with an error where it is
 * gone? So it is where a live Linux process is written to. */
static inline bool session_kernel_reads(const session_object *self)
{
    return self->embedded != NULL && self->process_id != 0;
}

/* Should a call that moves so many bytes let other threads run? */
bool session_releases_gil(const session_object *self, uint64_t bytes);

#endif
