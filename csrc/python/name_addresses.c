/* The function _core.name_addresses: finds each address's range and symbol, then makes the texts.
 *
 * It works in blocks, whose addresses it sorts: neighbours share a range, a symbol and its text, so
 * that little is searched and read anew. In each block, Python is first asked for the texts of
 * symbols that are met for the first time, all at once.
 */
#include "name_addresses.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../base/pointer_view.h"
#include "../core/scattered/radix.h"
#include "module_symbols.h"
#include "pointer_input.h"
#include "state.h"

#define BLOCK           (1u << 20) /* takes 40 MiB */
#define BETWEEN_SIGNALS 32768u     /* some 10 ms */
#define NO_RANGE        UINT32_MAX
#define OF_SYMBOL       (-2) /* in place of a module's number */
#define OFFSET_MOST     20u  /* letters of "+0x" and an offset */

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
    PyObject *texts;         /* owned: a list with an item for each symbol; None: not asked for */
    unsigned char *wanted;   /* bits: symbols in `missing` */
    PyObject *missing;       /* numbers of symbols whose texts are not known */
    size_t place;            /* in the spans: of the address before */
} named_module;

typedef struct found_place {
    uint32_t range;
    uint32_t symbol;
} found_place;

/* How the names of some neighbours begin. */
typedef struct beginning {
    PyObject *text;  /* owned; NULL: the names are numbers */
    uint64_t origin; /* offsets count from there */
    bool is_symbol;  /* the text alone is the name of the origin */
    bool is_copied;  /* to the buffer, as UTF-8; False for a text that has none */
    size_t length;   /* in the buffer */
} beginning;

typedef struct naming {
    const module_state *state;
    named_range *ranges;
    size_t range_count;
    named_module *modules;
    size_t module_count;
    PyObject *open_module; /* called with a module's number: (ModuleSymbols, texts) or None */
    PyObject *spell;       /* called with that and numbers of symbols: their texts */
    radix_entry *entries;  /* address and index; room for twice the block */
    found_place *places;   /* of the sorted entries */
    beginning beginning;
    char *buffer;
    size_t room;
} naming;

static bool take_range(PyObject *tuple, uint64_t after, size_t modules, named_range *range)
{
    unsigned long long start = 0, end = 0, origin = 0, bias = 0;
    int module = -1;

    if (!PyArg_ParseTuple(tuple, "KKKKUi", &start, &end, &origin, &bias, &range->text, &module)) {
        return false;
    }
    if (start < after || start < origin || end < start || module >= (int)modules) {
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

/* Takes (ModuleSymbols, texts). */
static bool take_module(const naming *work, PyObject *pair, named_module *module)
{
    PyObject *symbols = NULL, *texts = NULL;
    size_t count = 0;

    if (!PyTuple_Check(pair)) {
        PyErr_SetString(PyExc_TypeError, "a module must be ModuleSymbols and texts, or None");
        return false;
    }
    if (!PyArg_ParseTuple(pair, "O!O!", work->state->module_symbols_type, &symbols, &PyList_Type,
                          &texts)) {
        return false;
    }
    count = ((module_symbols *)symbols)->entries.count;
    if ((size_t)PyList_Size(texts) != count) {
        PyErr_SetString(PyExc_ValueError, "each symbol needs a place for its text");
        return false;
    }
    module->symbols = (module_symbols *)Py_NewRef(symbols);
    module->texts = Py_NewRef(texts);
    module->wanted = calloc(count / 8 + 1, 1);
    if (module->wanted == NULL) {
        (void)PyErr_NoMemory();
    }
    return module->wanted != NULL;
}

/* Asks for a module's symbols. */
static bool open_module(naming *work, uint32_t number)
{
    named_module *module = &work->modules[number];
    PyObject *found = PyObject_CallFunction(work->open_module, "I", (unsigned int)number);

    module->asked = found != NULL && (found == Py_None || take_module(work, found, module));
    Py_XDECREF(found);
    return module->asked;
}

/* Notes that a symbol's text is needed. */
static bool want(named_module *module, uint32_t symbol)
{
    unsigned char bit = (unsigned char)(1u << symbol % 8);
    PyObject *number = NULL;
    bool good = false;

    if (PyList_GetItem(module->texts, (Py_ssize_t)symbol) != Py_None ||
        (module->wanted[symbol / 8] & bit) != 0) {
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

/* Finds the symbol of an address in a range that has some. */
static bool find_symbol(naming *work, const named_range *range, uint64_t address, uint32_t *symbol)
{
    named_module *module = &work->modules[range->module];

    if (!module->asked && !open_module(work, range->module)) {
        return false;
    }
    if (module->symbols != NULL) {
        const symbol_spans *spans = &module->symbols->spans;

        module->place = symbol_spans_place(spans, module->place, address - range->bias);
        *symbol = module->place == 0 ? SYMBOL_NONE : spans->symbols[module->place - 1];
    }
    return *symbol == SYMBOL_NONE || want(module, *symbol);
}

/* Finds the place of each of the sorted addresses. */
static bool find_places(naming *work, const radix_entry *sorted, size_t count)
{
    size_t range = 0; /* the first one that ends behind the address */

    for (size_t i = 0; i < count; i++) {
        uint64_t address = sorted[i].key;
        found_place place = {NO_RANGE, SYMBOL_NONE};

        if (i % BETWEEN_SIGNALS == 0 && PyErr_CheckSignals() != 0) {
            return false;
        }
        while (range < work->range_count && work->ranges[range].end <= address) {
            range++;
        }
        if (range < work->range_count && work->ranges[range].start <= address) {
            place.range = (uint32_t)range;
            if (work->ranges[range].module != NO_RANGE &&
                !find_symbol(work, &work->ranges[range], address, &place.symbol)) {
                return false;
            }
        }
        work->places[i] = place;
    }
    return true;
}

/* Keeps the texts that Python has for the missing symbols of a module. */
static bool keep_texts(named_module *module, PyObject *missing, PyObject *texts)
{
    Py_ssize_t count = PyList_Size(missing);

    if (!PyList_Check(texts) || PyList_Size(texts) != count) {
        PyErr_SetString(PyExc_ValueError, "each symbol needs a text");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        size_t symbol = PyLong_AsSize_t(PyList_GetItem(missing, i));
        PyObject *text = PyList_GetItem(texts, i);

        if (symbol >= module->symbols->entries.count || !PyUnicode_Check(text)) {
            PyErr_SetString(PyExc_TypeError, "a symbol's text must be a str");
            return false;
        }
        if (PyList_SetItem(module->texts, (Py_ssize_t)symbol, Py_NewRef(text)) != 0) {
            return false;
        }
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
        good = texts != NULL && keep_texts(module, missing, texts);
        Py_XDECREF(texts);
        Py_DECREF(missing);
    }
    return good;
}

/* Copies the text to the buffer. False: an exception is set. */
static bool copy_text(naming *work, beginning *begin)
{
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(begin->text, &length);
    size_t wanted = (size_t)length + OFFSET_MOST;

    if (text == NULL) { /* a file's name can have other bytes than UTF-8 */
        bool expected = PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) != 0;

        if (expected) {
            PyErr_Clear();
        }
        return expected;
    }
    if (wanted > work->room) {
        char *larger = realloc(work->buffer, 2 * wanted);

        if (larger == NULL) {
            (void)PyErr_NoMemory();
            return false;
        }
        work->buffer = larger;
        work->room = 2 * wanted;
    }
    memcpy(work->buffer, text, (size_t)length);
    begin->length = (size_t)length;
    begin->is_copied = true;
    return true;
}

/* Sets how the names of all addresses at one place begin. */
static bool begin_at(naming *work, const found_place *place)
{
    beginning *begin = &work->beginning;
    const named_range *range = NULL;
    PyObject *text = NULL;

    Py_XDECREF(begin->text);
    *begin = (beginning){.text = NULL};
    if (place->range == NO_RANGE) {
        return true;
    }
    range = &work->ranges[place->range];
    if (place->symbol != SYMBOL_NONE) {
        const named_module *module = &work->modules[range->module];

        text = PyList_GetItem(module->texts, (Py_ssize_t)place->symbol);
        if (text == NULL) {
            return false;
        }
        begin->origin = range->bias + module->symbols->entries.all[place->symbol].value;
        begin->is_symbol = true;
    }
    if (text == NULL || !PyUnicode_Check(text) || PyUnicode_GetLength(text) == 0) {
        text = range->text; /* no name leads to the symbol, or there is none */
        begin->origin = range->origin;
        begin->is_symbol = range->is_symbol;
    }
    begin->text = Py_NewRef(text);
    return copy_text(work, begin);
}

/* Returns the name of an address at the place of `beginning`: its text, "+0x", and the offset. */
static PyObject *text_of(const naming *work, uint64_t address)
{
    const beginning *begin = &work->beginning;
    uint64_t offset = address - begin->origin;
    char digits[OFFSET_MOST];
    size_t at = sizeof digits;
    PyObject *end = NULL, *result = NULL;

    if (offset == 0 && begin->is_symbol) {
        return Py_NewRef(begin->text);
    }
    do {
        digits[--at] = "0123456789abcdef"[offset & 15];
        offset >>= 4;
    } while (offset > 0);
    digits[--at] = 'x';
    digits[--at] = '0';
    if (begin->text != NULL) {
        digits[--at] = '+';
    }
    if (begin->is_copied) {
        memcpy(work->buffer + begin->length, digits + at, sizeof digits - at);
        return PyUnicode_FromStringAndSize(work->buffer,
                                           (Py_ssize_t)(begin->length + sizeof digits - at));
    }
    end = PyUnicode_FromStringAndSize(digits + at, (Py_ssize_t)(sizeof digits - at));
    if (begin->text != NULL && end != NULL) {
        result = PyUnicode_Concat(begin->text, end);
        Py_DECREF(end);
        end = result;
    }
    return end;
}

/* Puts the texts of the sorted addresses into the list. */
static bool make_texts(naming *work, const radix_entry *sorted, size_t count, PyObject *list)
{
    for (size_t i = 0; i < count; i++) {
        const found_place *place = &work->places[i];
        PyObject *text = NULL;

        if (i % BETWEEN_SIGNALS == 0 && PyErr_CheckSignals() != 0) {
            return false;
        }
        if ((i == 0 || place->range != place[-1].range || place->symbol != place[-1].symbol) &&
            !begin_at(work, place)) {
            return false;
        }
        text = text_of(work, sorted[i].key);
        if (text == NULL) {
            return false;
        }
        PyList_SetItem(list, (Py_ssize_t)sorted[i].value, text); /* takes the reference */
    }
    return true;
}

/* Names elements from..from+count-1. */
static bool name_block(naming *work, const pointer_view *view, uint64_t from, size_t count,
                       PyObject *list)
{
    const radix_entry *sorted = NULL;

    for (size_t i = 0; i < count; i++) {
        memcpy(&work->entries[i].key, pointer_view_at(view, from + i), sizeof(uint64_t));
        work->entries[i].value = from + i;
    }
    sorted = radix_sort(work->entries, work->entries + count, count, 0);
    if (!find_places(work, sorted, count)) {
        return false;
    }
    for (size_t i = 0; i < work->module_count; i++) {
        if (!spell_missing(work, (uint32_t)i)) {
            return false;
        }
    }
    return make_texts(work, sorted, count, list);
}

static PyObject *name_all(naming *work, const pointer_view *view)
{
    PyObject *list = PyList_New((Py_ssize_t)view->count);
    size_t block = view->count < BLOCK ? (size_t)view->count : BLOCK;

    work->entries = malloc((2 * block + 1) * sizeof *work->entries);
    work->places = malloc((block + 1) * sizeof *work->places);
    if (work->entries == NULL || work->places == NULL) {
        (void)PyErr_NoMemory();
        Py_CLEAR(list);
    }
    for (uint64_t from = 0; list != NULL && from < view->count; from += block) {
        uint64_t left = view->count - from;

        if (!name_block(work, view, from, left < block ? (size_t)left : block, list)) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static void release(naming *work)
{
    for (size_t i = 0; i < work->module_count; i++) {
        Py_XDECREF((PyObject *)work->modules[i].symbols);
        Py_XDECREF(work->modules[i].texts);
        Py_XDECREF(work->modules[i].missing);
        free(work->modules[i].wanted);
    }
    Py_XDECREF(work->beginning.text);
    free(work->modules);
    free(work->ranges);
    free(work->entries);
    free(work->places);
    free(work->buffer);
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
    release(&work);
    Py_XDECREF(held);
    return result;
}
