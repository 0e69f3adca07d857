/* The functions of _core that an undo classifies elements with. */
#ifndef PYDBGWRITE_PYTHON_CLASSIFIED_ELEMENTS_H
#define PYDBGWRITE_PYTHON_CLASSIFIED_ELEMENTS_H

#include "python.h"

#include <stdbool.h>

PyObject *classified_elements(PyObject *module, PyObject *arguments);
PyObject *classified_pick(PyObject *module, PyObject *arguments);
PyObject *classified_places(PyObject *module, PyObject *arguments);
PyObject *classified_overlaps(PyObject *module, PyObject *arguments);

/* Adds the three kinds to the module. */
bool classified_add_constants(PyObject *module);

#endif
