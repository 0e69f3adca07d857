/* The type _core.RangeMap; see ranges_type.h. */
#include "ranges_type.h"

#include <string.h>

#include "../core/range_map.h"
#include "docstrings.h"
#include "state.h"

typedef struct ranges_object {
    PyObject_HEAD range_map map;
} ranges_object;

static range_map *map_of(PyObject *self)
{
    return &((ranges_object *)(void *)self)->map;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    range_map_free(map_of(self));
    release(self);
    Py_DECREF(type);
}

static Py_ssize_t length(PyObject *self)
{
    Py_ssize_t count;

    OBJECT_LOCK(self);
    count = (Py_ssize_t)map_of(self)->count;
    OBJECT_UNLOCK(self);
    return count;
}

/* The elements of a call: `unit` bytes each, at their addresses. */
typedef struct element_list {
    Py_buffer buffer;
    size_t count;
    unsigned unit;
} element_list;

static bool elements_fit(const element_list *elements)
{
    bool good = elements->unit > 0 && elements->unit <= 8 && elements->buffer.len % 8 == 0;

    if (!good) {
        PyErr_SetString(PyExc_ValueError, "elements have 1 to 8 bytes, and 64-bit addresses");
    }
    return good;
}

static uint64_t element_at(const element_list *elements, size_t index)
{
    uint64_t address;

    memcpy(&address, (const unsigned char *)elements->buffer.buf + 8 * index, sizeof address);
    return address;
}

static PyObject *none_or_no_memory(bool good)
{
    return good ? Py_NewRef(Py_None) : PyErr_NoMemory();
}

static PyObject *cut(PyObject *self, PyObject *arguments)
{
    unsigned long long start, size;

    if (!PyArg_ParseTuple(arguments, "KK", &start, &size)) {
        return NULL;
    }
    return none_or_no_memory(size == 0 || range_map_cut(map_of(self), start, start + (size - 1)));
}

static PyObject *cut_elements(PyObject *self, PyObject *arguments)
{
    element_list elements;
    bool good;
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(arguments, "y*I", &elements.buffer, &elements.unit)) {
        return NULL;
    }
    good = elements_fit(&elements);
    if (good) {
        for (size_t i = 0; good && i < (size_t)elements.buffer.len / 8; i++) {
            uint64_t start = element_at(&elements, i);

            good = range_map_cut(map_of(self), start, start + (elements.unit - 1));
        }
        result = none_or_no_memory(good);
    }
    PyBuffer_Release(&elements.buffer);
    return result;
}

static PyObject *put(PyObject *self, PyObject *arguments)
{
    unsigned long long start, size, place;
    unsigned record, unit;
    found_range range;

    if (!PyArg_ParseTuple(arguments, "KKIIK", &start, &size, &unit, &record, &place)) {
        return NULL;
    }
    range = (found_range){start, start + (size - 1), place, record, (uint8_t)unit, true};
    return none_or_no_memory(size == 0 || range_map_put(map_of(self), &range));
}

static PyObject *put_elements(PyObject *self, PyObject *arguments)
{
    unsigned long long place;
    unsigned record;
    element_list elements;
    bool good;
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(arguments, "y*IIK", &elements.buffer, &elements.unit, &record, &place)) {
        return NULL;
    }
    good = elements_fit(&elements);
    if (good) {
        for (size_t i = 0; good && i < (size_t)elements.buffer.len / 8; i++) {
            uint64_t start = element_at(&elements, i);
            found_range range = {.start = start,
                                 .last = start + (elements.unit - 1),
                                 .place = place + i * elements.unit,
                                 .record = record,
                                 .unit = (uint8_t)elements.unit,
                                 .whole = true};

            good = range_map_put(map_of(self), &range);
        }
        result = none_or_no_memory(good);
    }
    PyBuffer_Release(&elements.buffer);
    return result;
}

static bool append(PyObject *list, PyObject *item)
{
    bool good = item != NULL && PyList_Append(list, item) == 0;

    Py_XDECREF(item);
    return good;
}

/* Appends the parts between two addresses: (index, start, size, place). */
static bool append_parts(PyObject *list, const range_map *map, size_t index, uint64_t start,
                         uint64_t last)
{
    range_place at = range_map_find(map, start);
    const found_range *range = range_map_at(map, at);
    bool good = true;

    while (good && range != NULL && range->start <= last) {
        found_range part = range_part(range, range->start > start ? range->start : start,
                                      range->last < last ? range->last : last);

        good = append(list, Py_BuildValue("nKKK", (Py_ssize_t)index, (unsigned long long)part.start,
                                          (unsigned long long)(part.last - part.start + 1),
                                          (unsigned long long)part.place));
        at = range_map_next(map, at);
        range = range_map_at(map, at);
    }
    return good;
}

static PyObject *within(PyObject *self, PyObject *arguments)
{
    unsigned long long start, size;
    PyObject *list = NULL;

    if (!PyArg_ParseTuple(arguments, "KK", &start, &size)) {
        return NULL;
    }
    list = PyList_New(0);
    if (list != NULL && size > 0 &&
        !append_parts(list, map_of(self), 0, start, start + (size - 1))) {
        Py_CLEAR(list);
    }
    return list;
}

static PyObject *within_elements(PyObject *self, PyObject *arguments)
{
    element_list elements;
    PyObject *list = NULL;

    if (!PyArg_ParseTuple(arguments, "y*I", &elements.buffer, &elements.unit)) {
        return NULL;
    }
    if (elements_fit(&elements)) {
        list = PyList_New(0);
    }
    for (size_t i = 0; list != NULL && i < (size_t)elements.buffer.len / 8; i++) {
        uint64_t start = element_at(&elements, i);

        if (!append_parts(list, map_of(self), i, start, start + (elements.unit - 1))) {
            Py_CLEAR(list);
        }
    }
    PyBuffer_Release(&elements.buffer);
    return list;
}

/* Returns up to `most` ranges in order, or those of them that are parts. */
static PyObject *list_ranges(const range_map *map, size_t most, bool parts)
{
    PyObject *list = PyList_New(0);
    range_place at = {0};
    const found_range *range = range_map_at(map, at);

    while (list != NULL && range != NULL && most > 0) {
        if (!parts || !range->whole) {
            PyObject *item = Py_BuildValue("KKKII", (unsigned long long)range->start,
                                           (unsigned long long)(range->last - range->start + 1),
                                           (unsigned long long)range->place, range->record,
                                           (unsigned)range->unit);

            if (!append(list, item)) {
                Py_CLEAR(list);
            }
            most--;
        }
        at = range_map_next(map, at);
        range = range_map_at(map, at);
    }
    return list;
}

static PyObject *first(PyObject *self, PyObject *most)
{
    Py_ssize_t count = PyLong_AsSsize_t(most);

    if (count < 0) {
        if (PyErr_Occurred() == NULL) {
            PyErr_SetString(PyExc_ValueError, "the number of ranges is negative");
        }
        return NULL;
    }
    return list_ranges(map_of(self), (size_t)count, false);
}

static PyObject *parts_of(PyObject *self, PyObject *unused)
{
    (void)unused;
    return list_ranges(map_of(self), SIZE_MAX, true);
}

static PyObject *pieces(PyObject *self, PyObject *most)
{
    const range_map *map = map_of(self);
    unsigned long long longest = PyLong_AsUnsignedLongLong(most);
    unsigned long long total = 0;
    range_place at = {0};

    if (PyErr_Occurred() != NULL || longest == 0) {
        if (PyErr_Occurred() == NULL) {
            PyErr_SetString(PyExc_ValueError, "a piece has at least one byte");
        }
        return NULL;
    }
    for (const found_range *range; (range = range_map_at(map, at)) != NULL;
         at = range_map_next(map, at)) {
        uint64_t span = range->last - range->start; /* one less than its bytes */
        bool by_unit = range->unit > 1 && span % range->unit == range->unit - 1u;

        total += span / (by_unit ? range->unit : longest) + 1;
    }
    return PyLong_FromUnsignedLongLong(total);
}

/* Other threads can call the methods of a map, too. */
LOCKED_METHOD(cut)
LOCKED_METHOD(cut_elements)
LOCKED_METHOD(put)
LOCKED_METHOD(put_elements)
LOCKED_METHOD(within)
LOCKED_METHOD(within_elements)
LOCKED_METHOD(first)
LOCKED_METHOD(parts_of)
LOCKED_METHOD(pieces)

#define METHOD(name, function, flags)                                                              \
    {                                                                                              \
#name, locked_##function, flags, PyDoc_STR(DOC_RangeMap_##name)                            \
    }

static PyMethodDef methods[] = {
    METHOD(cut, cut, METH_VARARGS),       METHOD(cut_elements, cut_elements, METH_VARARGS),
    METHOD(put, put, METH_VARARGS),       METHOD(put_elements, put_elements, METH_VARARGS),
    METHOD(within, within, METH_VARARGS), METHOD(within_elements, within_elements, METH_VARARGS),
    METHOD(first, first, METH_O),         METHOD(parts, parts_of, METH_NOARGS),
    METHOD(pieces, pieces, METH_O),       {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, (void *)dealloc},
    {Py_sq_length, (void *)length},
    {Py_tp_methods, methods},
    {Py_tp_doc, PyDoc_STR(DOC_RangeMap)},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite._core.RangeMap",
    .basicsize = sizeof(ranges_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool ranges_add_type(PyObject *module)
{
    module_state *state = state_of_module(module);

    state->ranges_type = PyType_FromModuleAndSpec(module, &specification, NULL);
    return state->ranges_type != NULL &&
           PyModule_AddType(module, (PyTypeObject *)state->ranges_type) == 0;
}
