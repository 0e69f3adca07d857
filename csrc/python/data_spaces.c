/* The type behind session.data_spaces: IDebugDataSpaces4 one to one, Microsoft's names in snake
 * case and Microsoft's parameters. The methods are in data_spaces_*.c. */
#include "data_spaces.h"

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

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((data_spaces_object *)self)->session);
    return 0;
}

static int clear(PyObject *self)
{
    PyObject *session = (PyObject *)((data_spaces_object *)self)->session;

    ((data_spaces_object *)self)->session = NULL;
    Py_XDECREF(session);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    (void)clear(self);
    release(self);
    Py_DECREF(type);
}

#define RAW(name, function, doc)                                                                   \
    {                                                                                              \
        name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, PyDoc_STR(doc) \
    }

static PyMethodDef methods[] = {
    RAW("read_virtual", raw_read_virtual,
        "read_virtual($self, /, offset, buffer_size)\n--\n\n"
        "ReadVirtual: up to buffer_size bytes from offset; bytes, perhaps fewer."),
    RAW("write_virtual", raw_write_virtual,
        "write_virtual($self, /, offset, buffer)\n--\n\n"
        "WriteVirtual: the number of bytes written, perhaps fewer than len(buffer)."),
    RAW("read_virtual_uncached", raw_read_virtual_uncached,
        "read_virtual_uncached($self, /, offset, buffer_size)\n--\n\n"
        "ReadVirtualUncached: as read_virtual, past the engine's cache of kernel memory."),
    RAW("write_virtual_uncached", raw_write_virtual_uncached,
        "write_virtual_uncached($self, /, offset, buffer)\n--\n\n"
        "WriteVirtualUncached: as write_virtual, past the engine's cache of kernel memory."),
    RAW("read_pointers_virtual", raw_read_pointers_virtual,
        "read_pointers_virtual($self, /, offset, count)\n--\n\n"
        "ReadPointersVirtual: an array('Q') of count pointers, extended as the engine does."),
    RAW("write_pointers_virtual", raw_write_pointers_virtual,
        "write_pointers_virtual($self, /, offset, ptrs)\n--\n\n"
        "WritePointersVirtual: one call on the memory of ptrs itself, at most 2**32 - 1 pointers.\n"
        "The engine casts values to 32 bits on a 32-bit target."),
    RAW("read_physical", raw_read_physical,
        "read_physical($self, /, offset, buffer_size)\n--\n\n"
        "ReadPhysical: kernel targets only."),
    RAW("write_physical", raw_write_physical,
        "write_physical($self, /, offset, buffer)\n--\n\n"
        "WritePhysical: kernel targets only."),
    RAW("fill_virtual", raw_fill_virtual,
        "fill_virtual($self, /, start, size, pattern)\n--\n\n"
        "FillVirtual: repeats pattern over size bytes; the number of bytes filled."),
    RAW("search_virtual", raw_search_virtual,
        "search_virtual($self, /, offset, length, pattern, pattern_granularity=1)\n--\n\n"
        "SearchVirtual: the address of the first match, or None."),
    RAW("query_virtual", raw_query_virtual,
        "query_virtual($self, /, offset)\n--\n\n"
        "QueryVirtual: the MemoryBasicInformation of the region that holds offset."),
    RAW("get_valid_region_virtual", raw_get_valid_region_virtual,
        "get_valid_region_virtual($self, /, base, size)\n--\n\n"
        "GetValidRegionVirtual: (valid_base, valid_size) of the first valid part; (0, 0): none."),
    RAW("get_next_differently_valid_offset_virtual", raw_get_next_differently_valid_offset_virtual,
        "get_next_differently_valid_offset_virtual($self, /, offset)\n--\n\n"
        "GetNextDifferentlyValidOffsetVirtual: where validity may change next, or None (S_FALSE)."),
    RAW("is_pointer_64bit", raw_is_pointer_64bit,
        "is_pointer_64bit($self, /)\n--\n\n"
        "IDebugControl::IsPointer64Bit: True for 64-bit pointers, False for 32-bit ones."),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, (void *)dealloc},
    {Py_tp_traverse, (void *)traverse},
    {Py_tp_clear, (void *)clear},
    {Py_tp_methods, methods},
    {Py_tp_doc, PyDoc_STR("IDebugDataSpaces4 of a session, one method a call.")},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite._core.DataSpaces",
    .basicsize = sizeof(data_spaces_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

bool data_spaces_add_types(PyObject *module)
{
    module_state *state = state_of_module(module);

    state->data_spaces_type = PyType_FromModuleAndSpec(module, &specification, NULL);
    state->memory_information_type = raw_memory_information_type();
    return state->data_spaces_type != NULL && state->memory_information_type != NULL &&
           PyModule_AddType(module, (PyTypeObject *)state->data_spaces_type) == 0 &&
           PyModule_AddObjectRef(module, "MemoryBasicInformation",
                                 state->memory_information_type) == 0;
}
