/* The session type: life, ownership, re-entry, and its plain attributes. */
#include "session.h"

#include "../com/iids.h"
#include "data_spaces.h"
#include "docstrings.h"
#include "failures.h"
#include "opening/opening.h"
#include "recording.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

/* Counts the forks this process came by, so that a forked child knows itself. */
static atomic_i32 fork_count;

#if !defined(_WIN32)
static void count_fork(void)
{
    (void)atomic_i32_add(&fork_count, 1);
}
#endif

static session_object *session_of(PyObject *self)
{
    return (session_object *)self;
}

bool session_is_forked(const session_object *self)
{
    return self->fork_count != atomic_i32_load(&fork_count);
}

bool session_releases_gil(const session_object *self, uint64_t bytes)
{
    return self->genuine || self->wrapped || bytes >= GIL_RELEASE_BYTES;
}

/* The thread and process rules, which hold for close() too. */
static bool owns(const session_object *self)
{
    bool good = false;

    if (session_is_forked(self)) {
        PyErr_SetString(self->state->wrong_thread,
                        "this session belongs to the parent process; open one of your own in a "
                        "forked child");
    } else if (thread_token() != self->owner_token) {
        PyErr_Format(self->state->wrong_thread,
                     "this session belongs to thread %lu, which opened it; this is thread %lu. "
                     "Use it there, or open a session in each thread",
                     self->owner, PyThread_get_thread_ident());
    } else {
        good = true;
    }
    return good;
}

static bool take(session_object *self)
{
    bool taken = atomic_i32_compare_exchange(&self->busy, 0, 1);

    if (!taken) {
        PyErr_SetString(self->state->session_busy,
                        "this session is in the middle of a call (from a progress callback, "
                        "__index__, a signal handler or the collector); wait until that returns");
    }
    return taken;
}

bool session_enter(session_object *self, bool writes)
{
    bool good = false;

    if (!owns(self)) {
        goto done;
    }
    if (self->closed) {
        PyErr_SetString(self->state->session_closed, "this session is closed; open a new one");
        goto done;
    }
    if (writes && !self->writable) {
        PyErr_SetString(self->state->read_only,
                        "this session was opened with writable=False; nothing was written");
        goto done;
    }
    good = take(self);
done:
    return good;
}

void session_leave(session_object *self)
{
    atomic_i32_store(&self->busy, 0);
}

backing_gone session_gone(const session_object *self)
{
    backing_gone gone = BACKING_THERE;
    PyThreadState *released = NULL;

    if (self->behind != NULL) {
        released = PyEval_SaveThread();
        gone = self->behind->operations->gone(self->behind);
        PyEval_RestoreThread(released);
    }
    return gone;
}

/* One without interfaces yet. */
static session_object *allocate_session(module_state *state, PyTypeObject *type,
                                        embedded_target *embedded, const char *kind, bool writable)
{
    session_object *self = NULL;

    /* The openers of _core take a type from Python, and are called by anybody who likes to. */
    if (!PyType_Check((PyObject *)type) ||
        !PyType_IsSubtype(type, (PyTypeObject *)state->session_type)) {
        PyErr_Format(PyExc_TypeError, "type must be a subclass of %R, got %R", state->session_type,
                     (PyObject *)type);
    } else {
        allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);

        self = (session_object *)(void *)allocate(type, 0);
    }
    if (self != NULL) {
        self->state = state;
        self->embedded = embedded;
        self->genuine = embedded == NULL;
        self->kind = kind;
        self->writable = writable;
        self->process_id = embedded == NULL ? 0 : embedded->process_id;
        self->owner = PyThread_get_thread_ident();
        self->owner_token = thread_token();
        self->fork_count = atomic_i32_load(&fork_count);
    }
    return self;
}

session_object *session_create(module_state *state, PyTypeObject *type, IDebugClient5 *client,
                               embedded_target *embedded, const char *kind, bool writable)
{
    session_object *self = allocate_session(state, type, embedded, kind, writable);
    void *control = NULL, *data_spaces = NULL, *scatter = NULL;
    PyThreadState *released = NULL;

    if (self == NULL) {
        released = PyEval_SaveThread();
        (void)client->lpVtbl->Release(client);
        PyEval_RestoreThread(released);
        goto done;
    }
    self->client = client;
    if (client->lpVtbl->QueryInterface(client, &iid_debug_control, &control) == S_OK) {
        self->target.control = control;
    }
    if (client->lpVtbl->QueryInterface(client, &iid_debug_data_spaces4, &data_spaces) == S_OK) {
        self->target.data_spaces = data_spaces;
    }
    if (client->lpVtbl->QueryInterface(client, &iid_pointer_scatter, &scatter) == S_OK) {
        self->target.scatter = scatter;
        self->target.stopped = self->target.scatter->lpVtbl->IsStopped(scatter) == S_OK;
    }
    if (self->target.control == NULL || self->target.data_spaces == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the engine has no IDebugControl or IDebugDataSpaces4");
        Py_DECREF((PyObject *)self);
        self = NULL;
    }
done:
    return self;
}

session_object *session_create_wrapped(module_state *state, PyTypeObject *type,
                                       const wrapped_engine *opened, bool writable)
{
    session_object *self = allocate_session(state, type, opened->embedded, opened->kind, writable);
    PyThreadState *released = NULL;
    void *scatter = NULL;

    if (self == NULL) {
        released = PyEval_SaveThread();
        (void)opened->data_spaces->lpVtbl->Release(opened->data_spaces);
        (void)opened->control->lpVtbl->Release(opened->control);
        (void)opened->client->lpVtbl->Release(opened->client);
        opened->behind->operations->destroy(opened->behind);
        PyEval_RestoreThread(released);
        goto done;
    }
    self->wrapped = true;
    self->client = opened->client;
    self->target.control = opened->control;
    self->target.data_spaces = opened->data_spaces;
    self->behind = opened->behind;
    self->process_id = opened->process_id;
    /* `stopped` stays false: whoever holds the target may let it go on at any time. */
    if (!self->genuine && self->client->lpVtbl->QueryInterface(self->client, &iid_pointer_scatter,
                                                               &scatter) == S_OK) {
        self->target.scatter = scatter;
    }
done:
    return self;
}

static PyObject *session_new(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    (void)arguments;
    (void)names;
    PyErr_Format(PyExc_TypeError,
                 "%R is not made directly; attach(), launch() and simulate() open one", type);
    return NULL;
}

static void session_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    Py_CLEAR(session_of(self)->record);
    Py_CLEAR(session_of(self)->cut_short);
    /* In a forked child the engine's threads do not exist: its object is left as it is. */
    if (!session_is_forked(session_of(self))) {
        session_let_go(session_of(self));
    }
    release(self);
    Py_DECREF(type);
}

/* A transaction and its session hold each other. */
static int session_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(session_of(self)->record);
    Py_VISIT(session_of(self)->cut_short);
    return 0;
}

static int session_clear(PyObject *self)
{
    Py_CLEAR(session_of(self)->record);
    Py_CLEAR(session_of(self)->cut_short);
    return 0;
}

static void session_finalize(PyObject *self)
{
    session_object *session = session_of(self);

    if (!session->closed && session->client != NULL && !session_is_forked(session)) {
        PyObject *type = NULL, *value = NULL, *trace = NULL;

        PyErr_Fetch(&type, &value, &trace);
        if (PyErr_ResourceWarning(self, 1, "unclosed session %R: %s", self,
                                  session->wrapped ? "its references are given back"
                                                   : "the target is let go") < 0) {
            PyErr_WriteUnraisable(self);
        }
        PyErr_Restore(type, value, trace);
    }
}

static PyObject *get_data_spaces(PyObject *self, void *unused)
{
    (void)unused;
    return data_spaces_create(session_of(self));
}

static PyObject *get_pointer_size(PyObject *self, void *unused)
{
    session_object *session = session_of(self);
    core_error error = {0};
    uint32_t width = 0;
    PyObject *result = NULL;

    (void)unused;
    if (session_enter(session, false)) {
        PyThreadState *released = session_releases_gil(session, 0) ? PyEval_SaveThread() : NULL;

        width = core_pointer_size(&session->target, &error);
        if (released != NULL) {
            PyEval_RestoreThread(released);
        }
        if (width != 0) {
            result = PyLong_FromUnsignedLong(width);
        } else {
            failure_raise(session, &error, false);
        }
        session_leave(session);
    }
    return result;
}

static PyObject *get_pid(PyObject *self, void *unused)
{
    uint32_t process_id = session_of(self)->process_id;
    PyObject *result = Py_None;

    (void)unused;
    if (process_id != 0) {
        result = PyLong_FromUnsignedLong(process_id);
    } else {
        Py_INCREF(result);
    }
    return result;
}

static PyObject *get_target(PyObject *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(session_of(self)->kind);
}

static PyObject *get_owner_thread(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(session_of(self)->owner);
}

static PyObject *get_writable(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(session_of(self)->writable);
}

static PyObject *get_embedded(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!session_of(self)->genuine);
}

static PyObject *get_wrapped(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(session_of(self)->wrapped);
}

static PyObject *get_closed(PyObject *self, void *unused)
{
    session_object *session = session_of(self);

    (void)unused;
    return PyBool_FromLong(session->closed || session_is_forked(session));
}

#define METHOD(name, function, flags)                                                              \
    {                                                                                              \
#name, (PyCFunction)(void (*)(void))function, flags, PyDoc_STR(DOC_Session_##name)         \
    }
#define KEYWORDS (METH_FASTCALL | METH_KEYWORDS)

static PyMethodDef methods[] = {
    METHOD(write_pointers, session_write_pointers, KEYWORDS),
    METHOD(read_pointers, session_read_pointers, KEYWORDS),
    METHOD(write_scattered, session_write_scattered, KEYWORDS),
    METHOD(read_scattered, session_read_scattered, KEYWORDS),
    METHOD(write, session_write, KEYWORDS),
    METHOD(read, session_read, KEYWORDS),
    METHOD(detach, session_detach, METH_NOARGS),
    METHOD(terminate, session_terminate, METH_NOARGS),
    METHOD(close, session_close, METH_NOARGS),
    METHOD(_end_at_exit, session_end_at_exit, METH_NOARGS),
    METHOD(_set_recorder, recording_set, METH_FASTCALL),
    METHOD(_set_pointer_size, session_set_pointer_size, METH_O),
    METHOD(_list_modules, session_list_modules, METH_NOARGS),
    METHOD(_symbol_address, session_symbol_address, METH_O),
    METHOD(_match_symbols, session_match_symbols, METH_VARARGS),
    METHOD(_start_server, session_start_server, METH_O),
    METHOD(_end_servers, session_end_servers, METH_NOARGS),
    METHOD(_dispatch, session_dispatch, METH_O),
    METHOD(_interface_address, session_interface_address, METH_NOARGS),
    METHOD(_read_maps, session_read_maps, METH_NOARGS),
    METHOD(_inject_fault, session_inject_fault, KEYWORDS),
    {NULL, NULL, 0, NULL},
};

#define ATTRIBUTE(name, get)                                                                       \
    {                                                                                              \
#name, get, NULL, PyDoc_STR(DOC_Session_##name), NULL                                      \
    }

static PyGetSetDef attributes[] = {
    ATTRIBUTE(data_spaces, get_data_spaces),
    ATTRIBUTE(pointer_size, get_pointer_size),
    ATTRIBUTE(pid, get_pid),
    ATTRIBUTE(target, get_target),
    ATTRIBUTE(owner_thread, get_owner_thread),
    ATTRIBUTE(writable, get_writable),
    ATTRIBUTE(_embedded, get_embedded),
    ATTRIBUTE(_wrapped, get_wrapped),
    ATTRIBUTE(closed, get_closed),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)session_new},
    {Py_tp_dealloc, (void *)session_dealloc},
    {Py_tp_traverse, (void *)session_traverse},
    {Py_tp_clear, (void *)session_clear},
    {Py_tp_finalize, (void *)session_finalize},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, PyDoc_STR(DOC_Session)},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite._core.Session",
    .basicsize = sizeof(session_object),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool session_add_type(PyObject *module)
{
    module_state *state = state_of_module(module);

#if !defined(_WIN32)
    static atomic_i32 registered;

    /* Once a process, whatever the number of interpreters. */
    if (atomic_i32_compare_exchange(&registered, 0, 1)) {
        (void)pthread_atfork(NULL, NULL, count_fork);
    }
#endif
    state->session_type = PyType_FromModuleAndSpec(module, &specification, NULL);
    return state->session_type != NULL &&
           PyModule_AddType(module, (PyTypeObject *)state->session_type) == 0;
}
