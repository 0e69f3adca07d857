/* The type _core.ModuleSymbols: the symbols of one module, by address and by number. */
#ifndef PYDBGWRITE_PYTHON_MODULE_SYMBOLS_H
#define PYDBGWRITE_PYTHON_MODULE_SYMBOLS_H

#include "python.h"

#include <stdbool.h>

#include "../core/symbols/spans.h"

typedef struct module_symbols {
    PyObject_HEAD symbol_source sources[SYMBOL_SOURCES];
    size_t source_count;
    PyObject *held; /* a tuple of the bytes objects that the sources point to */
    symbol_entries entries;
    symbol_spans spans;
} module_symbols;

/* _core.plain_mangled. */
PyObject *module_symbols_plain(PyObject *module, PyObject *names);

bool module_symbols_add_type(PyObject *module);

#endif
