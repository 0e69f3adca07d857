/* The C half of a session: an engine's interfaces, and the rules for using them.
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
    /* The embedded engine's target, for calls that COM does not have; NULL for other engines, and
     * for a closed session. */
    embedded_target *embedded;
    backing *behind;     /* dbgeng's session, or a wrapped one; NULL: neither */
    const char *kind;    /* "process", "dump", "kernel", "remote" or "simulated" */
    unsigned long owner; /* the ident of the thread that opened it */
    int32_t owner_token; /* the token of that thread, which no later thread gets */
    int32_t forks;       /* the value of forks_seen() when it was opened */
    uint32_t process_id; /* 0: none */
    atomic_i32 busy;
    PyObject *record;    /* of a transaction (recording.h); otherwise NULL */
    PyObject *cut_short; /* the same */
    bool dbgeng;         /* not the embedded engine; of a closed session, too */
    bool wrapped;        /* another package's engine: closing leaves it alone */
    bool writable;
    bool spans_refused; /* a recorded write was made with spans=False: so its undo is, too */
    atomic_i32 closed;
} session_object;

/* In simulated memory, calls that move at least this many bytes release the GIL; smaller ones end
 * sooner than a switch of threads. Everywhere else the kernel or the engine may sleep, and each
 * call releases it. Exported, so that tests reach both sides. */
#define GIL_RELEASE_BYTES 65536

/* Makes a session of `type` (a subclass of the session type) over a client, and takes over its one
 * reference. NULL: an exception is set and the client was released. */
session_object *session_create(module_state *state, PyTypeObject *type, IDebugClient5 *client,
                               embedded_target *embedded, const char *kind, bool writable);

/* The same over a target of the embedded engine, which is destroyed if that fails. */
session_object *session_create_embedded(module_state *state, PyTypeObject *type,
                                        embedded_target *embedded, const char *kind, bool writable);

/* Makes a session of `type` over an engine that another package started, and takes over its
 * interfaces. NULL: an exception is set and they were released. */
session_object *session_create_wrapped(module_state *state, PyTypeObject *type,
                                       const wrapped_engine *opened, bool writable);

/* Finds whether the target or its server has ended, as far as that is known. For use after a
 * failure. */
backing_gone session_gone(const session_object *self);

/* Takes the session if this thread may use it now. False: an exception is set. */
bool session_enter(session_object *self, bool writes);
void session_leave(session_object *self);

/* The parts of session_enter() that endings without an owner use, without an exception: whether the
 * session belongs to this thread; whether it is a forked child's copy; takes it unless it is in
 * use. */
bool session_owned(const session_object *self);
bool session_is_forked(const session_object *self);
bool session_take(session_object *self);

/* Returns whether this is still the process that opened the session. Checked again after Python
 * code has run within a call, since that may have forked. False: an exception is set. */
bool session_not_forked(const session_object *self);

/* Returns whether no transaction records this session. False: an exception is set, which says that
 * `what` can't go with a transaction, and `why`. */
bool session_not_recorded(const session_object *self, const char *what, const char *why);

/* Returns whether the kernel reads the caller's memory itself, and answers with an error if that
 * memory is gone. This is so for writes to a live Linux process. */
static inline bool session_kernel_reads(const session_object *self)
{
    return self->embedded != NULL && self->process_id != 0;
}

/* Returns whether a call that moves this many bytes should let other threads run. */
bool session_releases_gil(const session_object *self, uint64_t bytes);

#endif
