/* The type that owns a file descriptor from the moment it exists.
 *
 * Python runs the handlers of signals between two instructions. If a handler raises an exception
 * after os.open() has returned a number and before an instruction has stored it, nobody closes that
 * descriptor. So C calls the opening function and keeps its number, and the object closes it when
 * it is freed. No handler runs in between, as long as the opening function is C too.
 */
#include "file_descriptor.h"

#include "docstrings.h"
#include "state.h"

typedef struct file_descriptor {
    PyObject_HEAD int number; /* -1: none */
} file_descriptor;

static file_descriptor *self_of(PyObject *self)
{
    return (file_descriptor *)(void *)self;
}

/* Replaces the number, and returns the one before: of several threads one takes it. */
static int exchange(PyObject *self, int number)
{
    int before;

    OBJECT_LOCK(self);
    before = self_of(self)->number;
    self_of(self)->number = number;
    OBJECT_UNLOCK(self);
    return before;
}

static PyObject *create(PyTypeObject *type, PyObject *arguments, PyObject *options)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Py_ssize_t count = PyTuple_Size(arguments);
    PyObject *self = NULL, *rest = NULL, *number = NULL;

    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "FileDescriptor() takes the function that opens it");
        goto done;
    }
    rest = PyTuple_GetSlice(arguments, 1, count);
    self = rest == NULL ? NULL : allocate(type, 0);
    if (self != NULL) {
        self_of(self)->number = -1;
        number = PyObject_Call(PyTuple_GetItem(arguments, 0), rest, options);
        self_of(self)->number = number == NULL ? -1 : (int)PyLong_AsLong(number);
        if (PyErr_Occurred() != NULL) {
            Py_CLEAR(self);
        }
    }
    Py_XDECREF(number);
done:
    Py_XDECREF(rest);
    return self;
}

static PyObject *close_now(PyObject *self, PyObject *unused)
{
    const module_state *state = (const module_state *)PyType_GetModuleState(Py_TYPE(self));
    int number = exchange(self, -1);

    (void)unused;
    /* By os.close(): on Windows a descriptor belongs to the C library that has opened it. */
    return number < 0 ? Py_NewRef(Py_None) : PyObject_CallFunction(state->os_close, "i", number);
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    const module_state *state = (const module_state *)PyType_GetModuleState(type);
    PyObject *kind, *value, *trace, *closed;

    if (self_of(self)->number >= 0 && state->os_close != NULL) {
        PyErr_Fetch(&kind, &value, &trace);
        closed = close_now(self, NULL);
        if (closed == NULL) {
            PyErr_WriteUnraisable(NULL);
        }
        Py_XDECREF(closed);
        PyErr_Restore(kind, value, trace);
    }
    release(self);
    Py_DECREF(type);
}

static PyObject *raise_closed(void)
{
    PyErr_SetString(PyExc_ValueError, "the file descriptor is closed");
    return NULL;
}

static PyObject *fileno_of(PyObject *self, PyObject *unused)
{
    int number;

    (void)unused;
    OBJECT_LOCK(self);
    number = self_of(self)->number;
    OBJECT_UNLOCK(self);
    return number < 0 ? raise_closed() : PyLong_FromLong(number);
}

static PyObject *into_file(PyObject *self, PyObject *mode)
{
    int number = exchange(self, -1); /* FileIO() lets other threads run, with or without a GIL */
    PyObject *io, *file = NULL;

    if (number < 0) {
        return raise_closed();
    }
    io = PyImport_ImportModule("io");
    if (io != NULL) {
        file = PyObject_CallMethod(io, "FileIO", "iO", number, mode);
    }
    if (file == NULL) {
        (void)exchange(self, number);
    }
    Py_XDECREF(io);
    return file;
}

static PyObject *enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

static PyMethodDef methods[] = {
    {"fileno", fileno_of, METH_NOARGS, PyDoc_STR(DOC_FileDescriptor_fileno)},
    {"into_file", into_file, METH_O, PyDoc_STR(DOC_FileDescriptor_into_file)},
    {"close", close_now, METH_NOARGS, PyDoc_STR(DOC_FileDescriptor_close)},
    {"__enter__", enter, METH_NOARGS, NULL},
    {"__exit__", close_now, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)create},
    {Py_tp_dealloc, (void *)dealloc},
    {Py_tp_methods, methods},
    {Py_tp_doc, PyDoc_STR(DOC_FileDescriptor)},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite._core.FileDescriptor",
    .basicsize = sizeof(file_descriptor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool file_descriptor_add_type(PyObject *module)
{
    return state_add_type(module, &specification, &state_of_module(module)->file_descriptor_type);
}
