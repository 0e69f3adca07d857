/* Pointers that a caller passes: a buffer of 64-bit integers in place, or ints and names to
 * convert. */
#ifndef PYDBGWRITE_PYTHON_POINTER_INPUT_H
#define PYDBGWRITE_PYTHON_POINTER_INPUT_H

#include "python.h"

#include <stdbool.h>
#include <stdlib.h>

#include "../base/pointer_view.h"
#include "names.h"
#include "state.h"

typedef struct pointer_input {
    pointer_view view;
    Py_buffer buffer;    /* held if its obj is not NULL */
    uint64_t *converted; /* from the elements of an iterable, or NULL */
} pointer_input;

/* Nothing taken yet. It does not zero all fields: a Py_buffer is large, and zeroing it takes as
 * long as writing one pointer. */
static inline void pointer_input_init(pointer_input *input)
{
    input->buffer.obj = NULL;
    input->converted = NULL;
}

/* Holds the object's buffer, or converts its elements, and checks everything before it returns.
 * Elements may be names, unless `names` is NULL. `what` names the object in errors. False: an
 * exception is set: TypeError, ValueError, OverflowError, that of a name, or the exception of an
 * element or the iterator. pointer_input_release() follows either way. */
bool pointer_input_take(pointer_input *input, module_state *state, call_names *names,
                        PyObject *object, const char *what);

/* The same for an object's buffer alone, with these flags: PyBUF_RECORDS_RO or PyBUF_RECORDS. */
bool pointer_input_take_buffer(pointer_input *input, module_state *state, PyObject *object,
                               int flags, const char *what);

static inline void pointer_input_release(pointer_input *input)
{
    if (input->buffer.obj != NULL) {
        PyBuffer_Release(&input->buffer);
    }
    if (input->converted != NULL) {
        free(input->converted);
    }
}

/* 1: the object is one int, as numpy's scalars and arrays without a dimension are, too; 0: it is
 * not; -1: an exception is set. */
int pointer_input_is_one(const module_state *state, PyObject *object);

#endif
