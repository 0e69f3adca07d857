/* The rules for using a session: threads, forked children, calls within calls; and its creation. */
#include "session.h"

#include "../com/iids.h"
#include "../engines/embedded/client.h"
#include "../engines/embedded/forks.h"
#include "../engines/own_memory.h"
#include "gil.h"
#include "thread_token.h"

bool session_is_forked(const session_object *self)
{
    return self->forks != forks_seen();
}

bool session_not_forked(const session_object *self)
{
    bool good = !session_is_forked(self);

    if (!good) {
        PyErr_SetString(self->state->wrong_thread,
                        "this session belongs to the parent process; open one of your own in a "
                        "forked child");
    }
    return good;
}

bool session_releases_gil(const session_object *self, uint64_t bytes)
{
    return self->dbgeng || self->wrapped || self->process_id != 0 || bytes >= GIL_RELEASE_BYTES;
}

bool session_owned(const session_object *self)
{
    return thread_token() == self->owner_token;
}

bool session_take(session_object *self)
{
    return atomic_i32_compare_exchange(&self->busy, 0, 1);
}

static bool is_open(const session_object *self)
{
    bool open = atomic_i32_load(&self->closed) == 0;

    if (!open) {
        PyErr_SetString(self->state->session_closed, "this session is closed; open a new one");
    }
    return open;
}

bool session_enter(session_object *self, bool writes)
{
    const module_state *state = self->state;
    bool good;

    if (!session_not_forked(self)) {
        return false;
    }
    if (!session_owned(self)) {
        PyErr_Format(state->wrong_thread,
                     "this session belongs to thread %lu, which opened it; this is thread %lu. "
                     "Use it there, or open a session in each thread",
                     self->owner, PyThread_get_thread_ident());
        return false;
    }
    if (!is_open(self)) {
        return false;
    }
    if (writes && !self->writable) {
        PyErr_SetString(state->read_only,
                        "this session was opened with writable=False; nothing was written");
        return false;
    }
    if (!session_take(self)) {
        PyErr_SetString(state->session_busy,
                        "this session is in the middle of a call (from a progress callback, "
                        "__index__, a signal handler or the collector); wait until that returns");
        return false;
    }
    good = is_open(self); /* the interpreter's exit, in another thread, can have closed it */
    if (!good) {
        session_leave(self);
    } else if (self->embedded != NULL) {
        self->embedded->interrupted = false;
    }
    return good;
}

void session_leave(session_object *self)
{
    atomic_i32_store(&self->busy, 0);
}

bool session_not_recorded(const session_object *self, const char *what, const char *why)
{
    if (self->record != NULL) {
        PyErr_Format(self->state->session_busy,
                     "%s can't be used while a transaction is open in this session: %s. End the "
                     "transaction first",
                     what, why);
    }
    return self->record == NULL;
}

backing_gone session_gone(const session_object *self)
{
    backing_gone gone = BACKING_THERE;

    if (self->behind != NULL) {
        PyThreadState *released = PyEval_SaveThread();

        gone = self->behind->operations->gone(self->behind);
        PyEval_RestoreThread(released);
    }
    return gone;
}

/* A session without interfaces yet. */
static session_object *allocate(module_state *state, PyTypeObject *type, embedded_target *embedded,
                                const char *kind, bool writable)
{
    session_object *self;

    /* The openers of _core take a type from Python, and any code can call them. */
    if (!PyType_Check((PyObject *)type) ||
        !PyType_IsSubtype(type, (PyTypeObject *)state->session_type)) {
        PyErr_Format(PyExc_TypeError, "type must be a subclass of %R, got %R", state->session_type,
                     (PyObject *)type);
        return NULL;
    }
    self = (session_object *)(void *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    self->embedded = embedded;
    self->dbgeng = embedded == NULL;
    self->kind = kind;
    self->writable = writable;
    self->process_id = embedded == NULL ? 0 : embedded->process_id;
    self->owner = PyThread_get_thread_ident();
    self->owner_token = thread_token();
    self->forks = forks_seen();
    self->target.copy_own = own_memory_copy;
    self->target.own_readable = own_memory_readable;
    return self;
}

/* Returns an interface of the session's client, or NULL. */
static void *query(const session_object *self, const GUID *id)
{
    void *found = NULL;
    HRESULT status = self->client->lpVtbl->QueryInterface(self->client, id, &found);

    return status == S_OK ? found : NULL;
}

session_object *session_create(module_state *state, PyTypeObject *type, IDebugClient5 *client,
                               embedded_target *embedded, const char *kind, bool writable)
{
    session_object *self = allocate(state, type, embedded, kind, writable);
    PyThreadState *released = PyEval_SaveThread();

    if (self == NULL) {
        (void)client->lpVtbl->Release(client);
    } else {
        IPointerScatter *scatter;

        self->client = client;
        self->target.control = query(self, &iid_debug_control);
        self->target.data_spaces = query(self, &iid_debug_data_spaces4);
        self->target.scatter = scatter = query(self, &iid_pointer_scatter);
        /* Microsoft's x86 engine does (docs/engine.md); the embedded engine has IPointerScatter. */
        self->target.folds = sizeof(void *) == 4 && scatter == NULL;
        self->target.stopped = scatter != NULL && scatter->lpVtbl->IsStopped(scatter) == S_OK;
        self->target.spans_cost = scatter != NULL && self->process_id != 0;
    }
    PyEval_RestoreThread(released);
    if (self != NULL && (self->target.control == NULL || self->target.data_spaces == NULL)) {
        PyErr_SetString(PyExc_RuntimeError, "the engine has no IDebugControl or IDebugDataSpaces4");
        Py_DECREF((PyObject *)self);
        self = NULL;
    }
    return self;
}

session_object *session_create_embedded(module_state *state, PyTypeObject *type,
                                        embedded_target *embedded, const char *kind, bool writable)
{
    IDebugClient5 *client = embedded_client_create(embedded);
    session_object *self = NULL;

    embedded->goes_on = gil_goes_on;
    if (client != NULL) {
        self = session_create(state, type, client, embedded, kind, writable);
    } else {
        PyThreadState *released = PyEval_SaveThread();

        embedded->operations->destroy(embedded);
        PyEval_RestoreThread(released);
        (void)PyErr_NoMemory();
    }
    return self;
}

session_object *session_create_wrapped(module_state *state, PyTypeObject *type,
                                       const wrapped_engine *opened, bool writable)
{
    session_object *self = allocate(state, type, opened->embedded, opened->kind, writable);

    if (self == NULL) {
        PyThreadState *released = PyEval_SaveThread();

        (void)opened->data_spaces->lpVtbl->Release(opened->data_spaces);
        (void)opened->control->lpVtbl->Release(opened->control);
        (void)opened->client->lpVtbl->Release(opened->client);
        opened->behind->operations->destroy(opened->behind);
        PyEval_RestoreThread(released);
    } else {
        self->wrapped = true;
        self->client = opened->client;
        self->target.control = opened->control;
        self->target.data_spaces = opened->data_spaces;
        self->behind = opened->behind;
        self->process_id = opened->process_id;
        /* `stopped` stays false: the engine's owner can resume the target at any time. */
        if (!self->dbgeng) {
            self->target.scatter = query(self, &iid_pointer_scatter);
        }
    }
    return self;
}
