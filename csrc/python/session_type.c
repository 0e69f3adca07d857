/* The type behind pydbgwrite.Session: its life and its table of methods and attributes. */
#include "session_type.h"

#include <stddef.h>
#include <structmember.h>

#include "../engines/embedded/forks.h"
#include "data_spaces.h"
#include "docstrings.h"
#include "failures.h"
#include "opening/simulated.h"
#include "recording.h"
#include "session.h"
#include "session_bytes.h"
#include "session_end.h"
#include "session_engine.h"
#include "session_maps.h"
#include "session_pointers.h"
#include "session_scattered.h"
#include "session_search.h"
#include "session_symbols.h"

static session_object *session_of(PyObject *self)
{
    return (session_object *)self;
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
    /* In a forked child the engine's threads do not exist: its object is left unchanged. */
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

    if (atomic_i32_load(&session->closed) == 0 && session->client != NULL &&
        !session_is_forked(session)) {
        PyObject *type = NULL, *value = NULL, *trace = NULL;

        PyErr_Fetch(&type, &value, &trace);
        if (PyErr_ResourceWarning(self, 1, "unclosed session %R: %s", self,
                                  session->wrapped ? "its references are released"
                                                   : "the target is detached") < 0) {
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

    (void)unused;
    if (!session_enter(session, false)) {
        return NULL;
    }
    if (session_releases_gil(session, 0)) {
        PyThreadState *released = PyEval_SaveThread();

        width = core_pointer_size(&session->target, &error);
        PyEval_RestoreThread(released);
    } else {
        width = core_pointer_size(&session->target, &error);
    }
    if (width == 0) {
        failure_raise(session, &error, false);
    }
    session_leave(session);
    return width == 0 ? NULL : PyLong_FromUnsignedLong(width);
}

static PyObject *get_pid(PyObject *self, void *unused)
{
    uint32_t process_id = session_of(self)->process_id;

    (void)unused;
    return process_id == 0 ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(process_id);
}

static PyObject *get_embedded(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!session_of(self)->dbgeng);
}

static PyObject *get_closed(PyObject *self, void *unused)
{
    session_object *session = session_of(self);

    (void)unused;
    return PyBool_FromLong(atomic_i32_load(&session->closed) != 0 || session_is_forked(session));
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
    METHOD(_search, session_search, KEYWORDS),
    METHOD(write, session_write, KEYWORDS),
    METHOD(read, session_read, KEYWORDS),
    METHOD(detach, session_detach, METH_NOARGS),
    METHOD(terminate, session_terminate, METH_NOARGS),
    METHOD(close, session_close, METH_NOARGS),
    METHOD(_end_at_exit, session_end_at_exit, METH_NOARGS),
    METHOD(_set_recorder, recording_set, METH_FASTCALL),
    METHOD(_set_pointer_size, session_set_pointer_size, METH_O),
    METHOD(_list_modules, session_list_modules, METH_NOARGS),
    METHOD(_load_module, session_load_module, METH_VARARGS),
    METHOD(_thread_teb, session_thread_teb, METH_NOARGS),
    METHOD(_keep_decoration, session_keep_decoration, METH_NOARGS),
    METHOD(_undecorate, session_undecorate, METH_O),
    METHOD(_symbol_address, session_symbol_address, METH_O),
    METHOD(_match_symbols, session_match_symbols, METH_VARARGS),
    METHOD(_symbol_names, session_symbol_names, METH_O),
    METHOD(_start_server, session_start_server, METH_O),
    METHOD(_end_servers, session_end_servers, METH_NOARGS),
    METHOD(_dispatch, session_dispatch, METH_O),
    METHOD(_process_life, session_process_life, METH_NOARGS),
    METHOD(_interface_address, session_interface_address, METH_NOARGS),
    METHOD(_read_maps, session_read_maps, METH_NOARGS),
    METHOD(_open_folder, session_open_folder, METH_O),
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
    ATTRIBUTE(_embedded, get_embedded),
    ATTRIBUTE(closed, get_closed),
    {NULL, NULL, NULL, NULL, NULL},
};

#define MEMBER(name, type, field)                                                                  \
    {                                                                                              \
#name, type, offsetof(session_object, field), READONLY, PyDoc_STR(DOC_Session_##name)      \
    }

static PyMemberDef members[] = {
    MEMBER(target, T_STRING, kind),
    MEMBER(owner_thread, T_ULONG, owner),
    MEMBER(writable, T_BOOL, writable),
    MEMBER(_wrapped, T_BOOL, wrapped),
    MEMBER(_spans_refused, T_BOOL, spans_refused),
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)session_new},
    {Py_tp_dealloc, (void *)session_dealloc},
    {Py_tp_traverse, (void *)session_traverse},
    {Py_tp_clear, (void *)session_clear},
    {Py_tp_finalize, (void *)session_finalize},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
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

bool session_type_add(PyObject *module)
{
    module_state *state = state_of_module(module);

    forks_watch();
    return state_add_type(module, &specification, &state->session_type);
}
