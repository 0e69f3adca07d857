/* The type behind session.data_spaces: IDebugDataSpaces4 one to one, Microsoft's names in snake
 * case and Microsoft's parameters. The methods are in data_spaces_*.c. */
#include "data_spaces.h"

#include "data_spaces_bytes.h"
#include "data_spaces_pointers.h"
#include "data_spaces_regions.h"
#include "docstrings.h"
#include "raw_call.h"

PyObject *data_spaces_create(session_object *session)
{
    PyTypeObject *type = (PyTypeObject *)session->state->data_spaces_type;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    data_spaces_object *self = (data_spaces_object *)(void *)allocate(type, 0);

    if (self != NULL) {
        self->session = session;
        Py_INCREF((PyObject *)session);
    }
    return (PyObject *)self;
}

/* There is no Py_tp_clear: each cycle that contains it goes through its session, which breaks it.
 */
static int traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((data_spaces_object *)self)->session);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    Py_DECREF((PyObject *)((data_spaces_object *)self)->session);
    release(self);
    Py_DECREF(type);
}

#define RAW(name)                                                                                  \
    {                                                                                              \
#name, (PyCFunction)(void (*)(void))raw_##name, METH_FASTCALL | METH_KEYWORDS,             \
            PyDoc_STR(DOC_DataSpaces_##name)                                                       \
    }

static PyMethodDef methods[] = {
    RAW(read_virtual),
    RAW(write_virtual),
    RAW(read_virtual_uncached),
    RAW(write_virtual_uncached),
    RAW(read_pointers_virtual),
    RAW(write_pointers_virtual),
    RAW(read_physical),
    RAW(write_physical),
    RAW(fill_virtual),
    RAW(search_virtual),
    RAW(query_virtual),
    RAW(get_valid_region_virtual),
    RAW(get_next_differently_valid_offset_virtual),
    RAW(is_pointer_64bit),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, (void *)dealloc},
    {Py_tp_traverse, (void *)traverse},
    {Py_tp_methods, methods},
    {Py_tp_doc, PyDoc_STR(DOC_DataSpaces)},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite.DataSpaces",
    .basicsize = sizeof(data_spaces_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

bool data_spaces_add_types(PyObject *module)
{
    module_state *state = state_of_module(module);

    state->memory_information_type = raw_memory_information_type();
    return state->memory_information_type != NULL &&
           state_add_type(module, &specification, &state->data_spaces_type) &&
           PyModule_AddObjectRef(module, "MemoryBasicInformation",
                                 state->memory_information_type) == 0;
}
