/* Pointers that a caller passes: a buffer of 64-bit integers as it lies, or ints to convert.
 *
 * A function that takes pointers holds the buffer itself:
 *
 *     if (PyObject_CheckBuffer(object)) {
 *         PyObject_GetBuffer(object, &buffer, PyBUF_RECORDS_RO), then pointer_input_of_buffer()
 *     } else {
 *         pointer_input_of_iterable(), whose memory free() frees
 *     }
 */
#ifndef PYDBGWRITE_PYTHON_POINTER_INPUT_H
#define PYDBGWRITE_PYTHON_POINTER_INPUT_H

#include "python.h"

#include <stdbool.h>

#include "../core/pointer_view.h"
#include "state.h"

/* Looks at a buffer taken with PyBUF_RECORDS_RO (or PyBUF_RECORDS). `object` and `what` are for
 * errors. False: TypeError or ValueError is set. */
bool pointer_input_of_buffer(PyObject *object, const Py_buffer *buffer, const char *what,
                             pointer_view *view);

/* After PyObject_GetBuffer() failed: says in our words what was got, unless memory is short. */
void pointer_input_no_buffer(PyObject *object, const char *what);

/* Converts ints into one block of memory, all checked before it returns. NULL: an exception is set
 * (TypeError, OverflowError, or what an element or the iterator raised). Free it by
 * free(). */
uint64_t *pointer_input_of_iterable(const module_state *state, PyObject *object, const char *what,
                                    pointer_view *view);

#endif
