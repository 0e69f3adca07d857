/* What found pointers become, for Python; see moved_pointers.h. */
#include "moved_pointers.h"

#include <stdbool.h>

#include "../core/search/moves.h"
#include "gil.h"
#include "pointer_output.h"
#include "state.h"

/* Returns the buffer's numbers. */
static const uint64_t *numbers(const Py_buffer *buffer)
{
    return (const uint64_t *)buffer->buf;
}

static size_t count_of(const Py_buffer *buffer)
{
    return (size_t)buffer->len / sizeof(uint64_t);
}

/* Sets the exception for what is wrong with the pairs or a value. */
static void set_fault(const search_moves *moves, search_moves_fault fault, const Py_buffer *old,
                      const Py_buffer *new, const Py_buffer *values)
{
    const Py_buffer *of = values;
    const char *text = "%s%s is none of the old pointers";
    unsigned long long index = moves->index, other = moves->other;
    char number[32], where[32] = "";

    if (fault == SEARCH_MOVES_NO_MEMORY) {
        (void)PyErr_NoMemory();
        return;
    }
    if (fault == SEARCH_MOVES_TWO_NEW) {
        (void)PyErr_Format(PyExc_ValueError,
                           "old[%llu] and old[%llu] are the same pointer, and new[%llu] and "
                           "new[%llu] are not: each slot can get one new pointer",
                           other, index, other, index);
        return;
    }
    if (fault == SEARCH_MOVES_SAME) {
        of = old;
        text = "old%s and its new pointer are the same, %s: there is nothing to replace";
    } else if (fault == SEARCH_MOVES_OUTSIDE) {
        of = new;
        text = "new%s has bits outside the mask, %s: those of each slot stay, so give it without";
    } else if (fault == SEARCH_MOVES_CARRIED) {
        text = "the new pointer for %s%s would have bits outside the mask";
    }
    if (of != values && count_of(of) > 1) {
        (void)PyOS_snprintf(where, sizeof where, "[%llu]", index);
    }
    (void)PyOS_snprintf(number, sizeof number, "0x%llx", (unsigned long long)numbers(of)[index]);
    (void)PyErr_Format(PyExc_ValueError, text, where, number);
}

PyObject *moved_pointers(PyObject *module, PyObject *arguments)
{
    Py_buffer values, old, new;
    unsigned long long mask;
    pointer_output output;
    search_moves moves;
    search_moves_fault fault;
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(arguments, "y*y*y*K:moved_pointers", &values, &old, &new, &mask)) {
        return NULL;
    }
    pointer_output_init(&output);
    if (count_of(&old) == 0 || old.len != new.len) {
        PyErr_SetString(PyExc_ValueError, "old and new must have as many pointers, at least one");
    } else if (pointer_output_take(&output, state_of_module(module), NULL, count_of(&values))) {
        gil_release();
        fault = search_moves_take(&moves, numbers(&old), numbers(&new), count_of(&old), mask);
        if (fault == SEARCH_MOVES_GOOD) {
            fault = search_moves_all(&moves, numbers(&values), count_of(&values),
                                     (uint64_t *)(uintptr_t)output.memory.view.first);
        }
        search_moves_free(&moves);
        gil_take();
        if (fault == SEARCH_MOVES_GOOD) {
            result = pointer_output_result(&output, count_of(&values));
        } else {
            set_fault(&moves, fault, &old, &new, &values);
        }
    }
    pointer_output_release(&output);
    PyBuffer_Release(&new);
    PyBuffer_Release(&old);
    PyBuffer_Release(&values);
    return result;
}
