/* The function _core.name_addresses: finds each address's range and symbol, then makes the texts.
 *
 * It works in blocks. In each, Python is first asked for the texts of symbols that are met for the
 * first time, all at once.
 */
#include "name_addresses.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../base/pointer_view.h"
#include "module_symbols.h"
#include "pointer_input.h"
#include "state.h"

#define BLOCK     32768u /* some 10 ms between two checks for Ctrl-C */
#define NO_RANGE  UINT32_MAX
#define OF_SYMBOL (-2) /* in place of a module's number */

/* A part of the address space with names of its own. */
typedef struct named_range {
    uint64_t start;
    uint64_t end;
    uint64_t origin; /* offsets count from there */
    uint64_t bias;   /* of the module's file: address less value */
    PyObject *text;  /* borrowed: the name of the module, region or symbol */
    uint32_t module; /* NO_RANGE if it has no symbols */
    bool is_symbol;  /* the text alone is the name of its first address */
} named_range;

typedef struct named_module {
    bool asked;
    module_symbols *symbols; /* owned; NULL if there are none */
    unsigned char *wanted;   /* bits: symbols in `missing` */
    PyObject *missing;       /* numbers of symbols whose texts are not known */
} named_module;

typedef struct found_place {
    uint64_t address;
    uint32_t range;
    uint32_t symbol;
} found_place;

typedef struct naming {
    const module_state *state;
    named_range *ranges;
    size_t range_count;
    named_module *modules;
    size_t module_count;
    PyObject *open_module; /* called with a module's number: ModuleSymbols or None */
    PyObject *spell;       /* called with that and numbers of symbols: their texts */
    found_place *places;
} naming;

static bool take_range(PyObject *tuple, uint64_t after, size_t modules, named_range *range)
{
    unsigned long long start = 0, end = 0, origin = 0, bias = 0;
    int module = -1;

    if (!PyArg_ParseTuple(tuple, "KKKKUi", &start, &end, &origin, &bias, &range->text, &module)) {
        return false;
    }
    if (start < after || end < start || module >= (int)modules) {
        PyErr_SetString(PyExc_ValueError, "the ranges are not in order");
        return false;
    }
    range->start = start;
    range->end = end;
    range->origin = origin;
    range->bias = bias;
    range->module = module < 0 ? NO_RANGE : (uint32_t)module;
    range->is_symbol = module == OF_SYMBOL;
    return true;
}

/* The caller frees what is allocated, after a failure, too. */
static bool take_ranges(naming *work, PyObject *list)
{
    size_t count = (size_t)PyList_Size(list);
    bool good = true;

    work->ranges = calloc(count + 1, sizeof *work->ranges);
    work->modules = calloc(count + 1, sizeof *work->modules);
    if (work->ranges == NULL || work->modules == NULL) {
        (void)PyErr_NoMemory();
        good = false;
    }
    for (size_t i = 0; good && i < count; i++) {
        good = take_range(PyList_GetItem(list, (Py_ssize_t)i), i > 0 ? work->ranges[i - 1].end : 0,
                          count, &work->ranges[i]);
        work->range_count++;
    }
    work->module_count = good ? count : 0;
    return good;
}

static uint32_t find_range(const naming *work, uint64_t address)
{
    size_t low = 0, count = work->range_count;

    while (count > 0) {
        size_t half = count / 2;

        if (work->ranges[low + half].start <= address) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low > 0 && address < work->ranges[low - 1].end ? (uint32_t)(low - 1) : NO_RANGE;
}

/* Asks for a module's symbols. */
static bool open_module(naming *work, uint32_t number)
{
    named_module *module = &work->modules[number];
    PyObject *found = PyObject_CallFunction(work->open_module, "I", (unsigned int)number);
    bool good = found != NULL;

    if (good && Py_TYPE(found) == (PyTypeObject *)work->state->module_symbols_type) {
        module->symbols = (module_symbols *)Py_NewRef(found);
        module->wanted = calloc(module->symbols->entries.count / 8 + 1, 1);
        if (module->wanted == NULL) {
            (void)PyErr_NoMemory();
            good = false;
        }
    } else if (good && found != Py_None) {
        PyErr_SetString(PyExc_TypeError, "a module's symbols must be ModuleSymbols or None");
        good = false;
    }
    module->asked = good;
    Py_XDECREF(found);
    return good;
}

/* Notes that a symbol's text is needed. */
static bool want(named_module *module, uint32_t symbol)
{
    unsigned char bit = (unsigned char)(1u << symbol % 8);
    PyObject *number = NULL;
    bool good = false;

    if (module->symbols->texts[symbol] != NULL || (module->wanted[symbol / 8] & bit) != 0) {
        return true;
    }
    if (module->missing == NULL) {
        module->missing = PyList_New(0);
    }
    number = PyLong_FromUnsignedLong(symbol);
    good = module->missing != NULL && number != NULL && PyList_Append(module->missing, number) == 0;
    Py_XDECREF(number);
    module->wanted[symbol / 8] |= bit;
    return good;
}

static bool find_place(naming *work, uint64_t address, found_place *place)
{
    named_module *module = NULL;

    *place = (found_place){address, find_range(work, address), SYMBOL_NONE};
    if (place->range == NO_RANGE || work->ranges[place->range].module == NO_RANGE) {
        return true;
    }
    module = &work->modules[work->ranges[place->range].module];
    if (!module->asked && !open_module(work, work->ranges[place->range].module)) {
        return false;
    }
    if (module->symbols != NULL) {
        place->symbol =
            symbol_spans_find(&module->symbols->spans, address - work->ranges[place->range].bias);
    }
    return place->symbol == SYMBOL_NONE || want(module, place->symbol);
}

/* Keeps the texts that Python has for the missing symbols of a module. */
static bool keep_texts(module_symbols *symbols, PyObject *missing, PyObject *texts)
{
    Py_ssize_t count = PyList_Size(missing);

    if (!PyList_Check(texts) || PyList_Size(texts) != count) {
        PyErr_SetString(PyExc_ValueError, "each symbol needs a text, or None");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        size_t symbol = PyLong_AsSize_t(PyList_GetItem(missing, i));
        PyObject *text = PyList_GetItem(texts, i);
        PyObject *before = NULL;

        if (symbol >= symbols->entries.count || (text != Py_None && !PyUnicode_Check(text))) {
            PyErr_SetString(PyExc_TypeError, "a symbol's text must be a str or None");
            return false;
        }
        before = symbols->texts[symbol];
        symbols->texts[symbol] = Py_NewRef(text);
        Py_XDECREF(before);
    }
    return true;
}

static bool spell_missing(naming *work, uint32_t number)
{
    named_module *module = &work->modules[number];
    PyObject *missing = module->missing, *texts = NULL;
    bool good = true;

    if (missing != NULL) {
        module->missing = NULL;
        memset(module->wanted, 0, module->symbols->entries.count / 8 + 1);
        texts = PyObject_CallFunction(work->spell, "IO", (unsigned int)number, missing);
        good = texts != NULL && keep_texts(module->symbols, missing, texts);
        Py_XDECREF(texts);
        Py_DECREF(missing);
    }
    return good;
}

/* Returns text, "+0x", and the offset in hexadecimal; the text alone for `bare` and no offset. */
static PyObject *with_offset(PyObject *text, uint64_t offset, bool bare)
{
    char digits[20];
    size_t at = sizeof digits;
    PyObject *end = NULL, *result = NULL;

    if (offset == 0 && bare) {
        return Py_NewRef(text);
    }
    do {
        digits[--at] = "0123456789abcdef"[offset & 15];
        offset >>= 4;
    } while (offset > 0);
    digits[--at] = 'x';
    digits[--at] = '0';
    if (text != NULL) {
        digits[--at] = '+';
    }
    end = PyUnicode_FromStringAndSize(digits + at, (Py_ssize_t)(sizeof digits - at));
    if (text != NULL && end != NULL) {
        result = PyUnicode_Concat(text, end);
        Py_DECREF(end);
        end = result;
    }
    return end;
}

static PyObject *text_of(const naming *work, const found_place *place)
{
    const named_range *range = NULL;
    PyObject *text = NULL;

    if (place->range == NO_RANGE) {
        return with_offset(NULL, place->address, false);
    }
    range = &work->ranges[place->range];
    if (place->symbol != SYMBOL_NONE) {
        const module_symbols *symbols = work->modules[range->module].symbols;

        text = symbols->texts[place->symbol];
        if (text != NULL && text != Py_None) {
            uint64_t value = symbols->entries.all[place->symbol].value;

            return with_offset(text, place->address - range->bias - value, true);
        }
    }
    return with_offset(range->text, place->address - range->origin, range->is_symbol);
}

/* Names elements from..from+count-1. */
static bool name_block(naming *work, const pointer_view *view, uint64_t from, size_t count,
                       PyObject *list)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t address = 0;

        memcpy(&address, pointer_view_at(view, from + i), sizeof address);
        if (!find_place(work, address, &work->places[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < work->module_count; i++) {
        if (!spell_missing(work, (uint32_t)i)) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *text = text_of(work, &work->places[i]);

        if (text == NULL) {
            return false;
        }
        PyList_SetItem(list, (Py_ssize_t)(from + i), text); /* takes the reference */
    }
    return PyErr_CheckSignals() == 0;
}

static PyObject *name_all(naming *work, const pointer_view *view)
{
    PyObject *list = PyList_New((Py_ssize_t)view->count);

    work->places = malloc(BLOCK * sizeof *work->places);
    if (work->places == NULL) {
        (void)PyErr_NoMemory();
        Py_CLEAR(list);
    }
    for (uint64_t from = 0; list != NULL && from < view->count; from += BLOCK) {
        uint64_t left = view->count - from;

        if (!name_block(work, view, from, left < BLOCK ? (size_t)left : BLOCK, list)) {
            Py_CLEAR(list);
        }
    }
    free(work->places);
    return list;
}

PyObject *name_addresses(PyObject *module, PyObject *arguments)
{
    PyObject *addresses = NULL, *ranges = NULL, *held = NULL, *result = NULL;
    naming work = {.state = state_of_module(module)};
    pointer_input input;

    pointer_input_init(&input);
    if (!PyArg_ParseTuple(arguments, "OO!OO", &addresses, &PyList_Type, &ranges, &work.open_module,
                          &work.spell)) {
        return NULL;
    }
    held = PyList_GetSlice(ranges, 0, PyList_Size(ranges)); /* keeps the texts alive */
    if (held != NULL && take_ranges(&work, held) &&
        pointer_input_take(&input, state_of_module(module), NULL, addresses, "addresses")) {
        result = name_all(&work, &input.view);
    }
    pointer_input_release(&input);
    for (size_t i = 0; i < work.module_count; i++) {
        Py_XDECREF((PyObject *)work.modules[i].symbols);
        Py_XDECREF(work.modules[i].missing);
        free(work.modules[i].wanted);
    }
    free(work.modules);
    free(work.ranges);
    Py_XDECREF(held);
    return result;
}
