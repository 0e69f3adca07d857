/* Where pointers are read into. */
#ifndef PYDBGWRITE_PYTHON_POINTER_OUTPUT_H
#define PYDBGWRITE_PYTHON_POINTER_OUTPUT_H

#include "python.h"

#include <stdint.h>

#include "state.h"

/* A new array('Q') of `count` zeros; NULL: an exception is set. */
PyObject *pointer_output_array(module_state *state, uint64_t count);

#endif
