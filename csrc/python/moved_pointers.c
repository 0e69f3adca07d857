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

/* The old or the new pointers, and how messages name them. */
typedef struct side {
    Py_buffer buffer;
    const char *name;
} side;

/* Sets the exception for what is wrong with the pairs or a value. */
static void set_fault(const search_moves *moves, search_moves_fault fault, const side *old,
                      const side *new, const Py_buffer *values)
{
    const Py_buffer *of = values;
    const char *name = "", *text = "%s%s%s is none of the old pointers";
    unsigned long long index = moves->index, other = moves->other;
    char number[32], where[32] = "";

    if (fault == SEARCH_MOVES_NO_MEMORY) {
        (void)PyErr_NoMemory();
        return;
    }
    if (fault == SEARCH_MOVES_TWO_NEW) {
        (void)PyErr_Format(PyExc_ValueError,
                           "%s[%llu] and %s[%llu] are the same pointer, and %s[%llu] and "
                           "%s[%llu] are not: each slot can get one new pointer",
                           old->name, other, old->name, index, new->name, other, new->name, index);
        return;
    }
    if (fault == SEARCH_MOVES_SAME) {
        of = &old->buffer;
        name = old->name;
        text = "%s%s and its new pointer are the same, %s: there is nothing to replace";
    } else if (fault == SEARCH_MOVES_OUTSIDE) {
        of = &new->buffer;
        name = new->name;
        text = "%s%s has bits outside the mask, %s: those of each slot stay, so give it without";
    } else if (fault == SEARCH_MOVES_CARRIED) {
        text = "the new pointer for %s%s%s would have bits outside the mask";
    }
    if (of != values && count_of(of) > 1) {
        (void)PyOS_snprintf(where, sizeof where, "[%llu]", index);
    }
    (void)PyOS_snprintf(number, sizeof number, "0x%llx", (unsigned long long)numbers(of)[index]);
    (void)PyErr_Format(PyExc_ValueError, text, name, where, number);
}

PyObject *moved_pointers(PyObject *module, PyObject *arguments)
{
    Py_buffer values;
    side old, new;
    unsigned long long mask;
    pointer_output output;
    search_moves moves;
    search_moves_fault fault;
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(arguments, "y*y*y*Kss:moved_pointers", &values, &old.buffer, &new.buffer,
                          &mask, &old.name, &new.name)) {
        return NULL;
    }
    pointer_output_init(&output);
    if (count_of(&old.buffer) == 0 || old.buffer.len != new.buffer.len) {
        PyErr_SetString(PyExc_ValueError, "old and new must have as many pointers, at least one");
    } else if (pointer_output_take(&output, state_of_module(module), NULL, count_of(&values))) {
        gil_release();
        fault = search_moves_take(&moves, numbers(&old.buffer), numbers(&new.buffer),
                                  count_of(&old.buffer), mask);
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
    PyBuffer_Release(&new.buffer);
    PyBuffer_Release(&old.buffer);
    PyBuffer_Release(&values);
    return result;
}
