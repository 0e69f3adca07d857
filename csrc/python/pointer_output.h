/* The memory that pointers are read into: a new array, or the caller's memory. */
#ifndef PYDBGWRITE_PYTHON_POINTER_OUTPUT_H
#define PYDBGWRITE_PYTHON_POINTER_OUTPUT_H

#include "pointer_input.h"

typedef struct pointer_output {
    PyObject *array;      /* the new array, or NULL */
    pointer_input memory; /* held, and writable */
} pointer_output;

/* Nothing taken yet. */
static inline void pointer_output_init(pointer_output *output)
{
    output->array = NULL;
    pointer_input_init(&output->memory);
}

/* Holds the memory of `into`, or of a new array('Q') of `count` zeros if `into` is NULL. False: an
 * exception is set. pointer_output_release() follows either way. */
bool pointer_output_take(pointer_output *output, module_state *state, PyObject *into,
                         uint64_t count);
void pointer_output_release(pointer_output *output);

/* Returns whether it has room for `count` pointers. False: an exception is set, which names that
 * number by `what`. */
bool pointer_output_fits(const pointer_output *output, uint64_t count, const char *what);

/* Returns the return value of a method that has read `count` pointers: the new array, or the count.
 */
PyObject *pointer_output_result(const pointer_output *output, uint64_t count);

#endif
