/* The type _core.ModuleSymbols, which holds the tables of one module; see module_symbols.h. */
#include "module_symbols.h"

#include <stdlib.h>
#include <string.h>

#include "../core/symbols/mangled.h"
#include "docstrings.h"
#include "state.h"

static module_symbols *symbols_of(PyObject *self)
{
    return (module_symbols *)self;
}

/* Reads [(address, size), ...]. */
static bool take_sections(PyObject *list, symbol_source *source)
{
    Py_ssize_t count = PyList_Size(list);
    symbol_section *sections = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *sections);
    bool good = sections != NULL;

    if (!good && count >= 0) {
        (void)PyErr_NoMemory();
    }
    source->sections = sections;
    source->section_count = good ? (size_t)count : 0;
    for (Py_ssize_t i = 0; good && i < count; i++) {
        unsigned long long address = 0, size = 0;

        good = PyArg_ParseTuple(PyList_GetItem(list, i), "KK", &address, &size);
        sections[i] = (symbol_section){address, size};
    }
    return good;
}

/* Reads (entries, strings, versions, sections, wide, big_endian, secondary). The caller's list
 * keeps the bytes until they are held. */
static bool take_source(PyObject *tuple, symbol_source *source)
{
    PyObject *entries = NULL, *strings = NULL, *versions = NULL, *sections = NULL;
    int wide = 0, big_endian = 0, secondary = 0;

    if (!PyArg_ParseTuple(tuple, "SSSO!ppp", &entries, &strings, &versions, &PyList_Type, &sections,
                          &wide, &big_endian, &secondary)) {
        return false;
    }
    source->entries = (const unsigned char *)PyBytes_AsString(entries);
    source->entries_size = (size_t)PyBytes_Size(entries);
    source->strings = (const unsigned char *)PyBytes_AsString(strings);
    source->strings_size = (size_t)PyBytes_Size(strings);
    source->versions = (const unsigned char *)PyBytes_AsString(versions);
    source->versions_size = (size_t)PyBytes_Size(versions);
    source->wide = wide != 0;
    source->big_endian = big_endian != 0;
    source->secondary = secondary != 0;
    return take_sections(sections, source);
}

static bool take_sources(module_symbols *symbols, PyObject *list)
{
    Py_ssize_t count = PyList_Size(list);

    if (count > SYMBOL_SOURCES) {
        PyErr_SetString(PyExc_ValueError, "too many symbol tables");
        return false;
    }
    symbols->held = PyList_AsTuple(list);
    for (Py_ssize_t i = 0; symbols->held != NULL && i < count; i++) {
        symbols->source_count++;
        if (!take_source(PyTuple_GetItem(symbols->held, i), &symbols->sources[i])) {
            return false;
        }
    }
    return symbols->held != NULL;
}

/* Ctrl-C gets its turn between the two: each takes a tenth of a second for a million symbols. */
static bool read_all(module_symbols *symbols, uint64_t low, uint64_t high)
{
    PyThreadState *released = PyEval_SaveThread();
    bool good = symbol_entries_read(symbols->sources, symbols->source_count, &symbols->entries);

    PyEval_RestoreThread(released);
    if (good && PyErr_CheckSignals() == 0) {
        released = PyEval_SaveThread();
        good = symbol_spans_make(symbols->sources, &symbols->entries, low, high, &symbols->spans);
        PyEval_RestoreThread(released);
    }
    if (!good) {
        (void)PyErr_NoMemory();
    }
    return PyErr_Occurred() == NULL;
}

static PyObject *symbols_new(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *list = NULL, *self = NULL;
    unsigned long long low = 0, high = 0;

    (void)names;
    if (!PyArg_ParseTuple(arguments, "O!KK", &PyList_Type, &list, &low, &high)) {
        return NULL;
    }
    self = allocate(type, 0);
    if (self != NULL &&
        (!take_sources(symbols_of(self), list) || !read_all(symbols_of(self), low, high))) {
        Py_CLEAR(self);
    }
    return self;
}

static void symbols_dealloc(PyObject *self)
{
    module_symbols *symbols = symbols_of(self);
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    symbol_spans_free(&symbols->spans);
    symbol_entries_free(&symbols->entries);
    for (size_t i = 0; i < symbols->source_count; i++) {
        free((void *)symbols->sources[i].sections);
    }
    Py_XDECREF(symbols->held);
    release(self);
    Py_DECREF(type);
}

static Py_ssize_t symbols_length(PyObject *self)
{
    return (Py_ssize_t)symbols_of(self)->entries.count;
}

static bool number_of(const module_symbols *symbols, PyObject *number, size_t *index)
{
    size_t value = PyLong_AsSize_t(number);

    if (value == (size_t)-1 && PyErr_Occurred()) {
        return false;
    }
    if (value >= symbols->entries.count) {
        PyErr_SetString(PyExc_IndexError, "there is no symbol of that number");
        return false;
    }
    *index = value;
    return true;
}

static PyObject *symbols_names(PyObject *self, PyObject *numbers)
{
    const module_symbols *symbols = symbols_of(self);
    Py_ssize_t count = PyList_Size(numbers);
    PyObject *list = count < 0 ? NULL : PyList_New(count);
    size_t index = 0;

    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *text = NULL;

        if (number_of(symbols, PyList_GetItem(numbers, i), &index)) {
            const symbol_entry *entry = &symbols->entries.all[index];

            text = PyUnicode_DecodeUTF8((const char *)symbol_entry_name(symbols->sources, entry),
                                        (Py_ssize_t)entry->length, "surrogateescape");
        }
        if (text == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SetItem(list, i, text); /* takes the reference */
        }
    }
    return list;
}

static PyObject *symbols_entry(PyObject *self, PyObject *number)
{
    const module_symbols *symbols = symbols_of(self);
    const symbol_entry *entry = NULL;
    size_t index = 0;

    if (!number_of(symbols, number, &index)) {
        return NULL;
    }
    entry = &symbols->entries.all[index];
    return Py_BuildValue("(y#KKiiiNNN)", (const char *)symbol_entry_name(symbols->sources, entry),
                         (Py_ssize_t)entry->length, (unsigned long long)entry->value,
                         (unsigned long long)entry->size, (int)entry->source, (int)entry->kind,
                         (int)entry->use, PyBool_FromLong(entry->has_place),
                         PyBool_FromLong(entry->versioned), PyBool_FromLong(entry->is_replaceable));
}

static PyObject *symbols_values(PyObject *self, PyObject *unused)
{
    const module_symbols *symbols = symbols_of(self);
    PyObject *list = PyList_New((Py_ssize_t)symbols->entries.count);

    (void)unused;
    for (size_t i = 0; list != NULL && i < symbols->entries.count; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(symbols->entries.all[i].value);

        if (value == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SetItem(list, (Py_ssize_t)i, value); /* takes the reference */
        }
    }
    return list;
}

static PyObject *symbols_containing(PyObject *self, PyObject *text)
{
    const module_symbols *symbols = symbols_of(self);
    const unsigned char *bytes = (const unsigned char *)PyBytes_AsString(text);
    PyObject *list = bytes == NULL ? NULL : PyList_New(0);
    size_t length = bytes == NULL ? 0 : (size_t)PyBytes_Size(text);

    for (size_t i = 0; list != NULL && !symbols->entries.overlong && i < symbols->entries.count;
         i++) {
        if (symbol_entry_contains(symbols->sources, &symbols->entries.all[i], bytes, length)) {
            PyObject *number = PyLong_FromSize_t(i);

            if (number == NULL || PyList_Append(list, number) < 0) {
                Py_CLEAR(list);
            }
            Py_XDECREF(number);
        }
    }
    return list;
}

static PyObject *symbols_at(PyObject *self, PyObject *address)
{
    unsigned long long value = PyLong_AsUnsignedLongLong(address);
    const symbol_spans *spans = &symbols_of(self)->spans;
    uint32_t found = SYMBOL_NONE;
    size_t place = 0;

    if (value == (unsigned long long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    place = symbol_spans_place(spans, 0, value);
    found = place == 0 ? SYMBOL_NONE : spans->symbols[place - 1];
    return found == SYMBOL_NONE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(found);
}

#define METHOD(name, function, flags)                                                              \
    {                                                                                              \
#name, function, flags, PyDoc_STR(DOC_ModuleSymbols_##name)                                \
    }

static PyMethodDef methods[] = {
    METHOD(names, symbols_names, METH_O),
    METHOD(entry, symbols_entry, METH_O),
    METHOD(values, symbols_values, METH_NOARGS),
    METHOD(containing, symbols_containing, METH_O),
    METHOD(at, symbols_at, METH_O),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)symbols_new},          {Py_tp_dealloc, (void *)symbols_dealloc},
    {Py_sq_length, (void *)symbols_length},    {Py_tp_methods, methods},
    {Py_tp_doc, PyDoc_STR(DOC_ModuleSymbols)}, {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite._core.ModuleSymbols",
    .basicsize = sizeof(module_symbols),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool module_symbols_add_type(PyObject *module)
{
    return state_add_type(module, &specification, &state_of_module(module)->module_symbols_type);
}

/* Returns whether one name can be demangled in time; -1: an exception is set. */
static int is_plain(PyObject *name)
{
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);

    if (text == NULL && !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        return -1;
    }
    PyErr_Clear(); /* a name of other bytes than UTF-8 is not demangled */
    return text != NULL && mangled_name_is_plain(text, (size_t)length);
}

PyObject *module_symbols_plain(PyObject *module, PyObject *names)
{
    Py_ssize_t count = PyList_Size(names);
    PyObject *list = count < 0 ? NULL : PyList_New(0);

    (void)module;
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        int plain = is_plain(PyList_GetItem(names, i));
        PyObject *number = plain > 0 ? PyLong_FromSsize_t(i) : NULL;

        if (plain < 0 || (plain > 0 && (number == NULL || PyList_Append(list, number) < 0))) {
            Py_CLEAR(list);
        }
        Py_XDECREF(number);
    }
    return list;
}
