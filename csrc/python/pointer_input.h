/* Pointers that a caller passes: a buffer of 64-bit integers as it lies, or ints to convert.
 *
 * A function that takes pointers holds the buffer itself:
 *
 *     if (PyObject_CheckBuffer(object) &&
 *         PyObject_GetBuffer(object, &buffer, PyBUF_RECORDS_RO) < 0) {
 *         pointer_input_no_buffer(object, what);
 *     } else {
 *         pointer_input_take(), whose `converted` free() frees
 *     }
 */
#ifndef PYDBGWRITE_PYTHON_POINTER_INPUT_H
#define PYDBGWRITE_PYTHON_POINTER_INPUT_H

#include "python.h"

#include <stdbool.h>

#include "../base/pointer_view.h"
#include "state.h"

/* Either the buffer that is held (buffer->obj is not NULL), or the ints of an iterable, converted
 * into *converted. `what` names the object in errors. False: an exception is set. */
bool pointer_input_take(const module_state *state, PyObject *object, const Py_buffer *buffer,
                        const char *what, uint64_t **converted, pointer_view *view);

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
