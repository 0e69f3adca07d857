/* Holding the memory that pointers are read into; see pointer_output.h. */
#include "pointer_output.h"

/* The module array imports collections, which costs more than this package: it is imported at first
 * use. */
static PyObject *zero_word(module_state *state)
{
    PyObject *zero = state_kept(&state->zero_word);
    PyObject *module = zero == NULL ? PyImport_ImportModule("array") : NULL;

    if (module != NULL) {
        zero = state_keep_first(&state->zero_word,
                                PyObject_CallMethod(module, "array", "s(i)", "Q", 0));
        Py_DECREF(module);
    }
    return zero;
}

/* Returns a new array('Q') of `count` zeros; NULL: an exception is set. */
static PyObject *new_array(module_state *state, uint64_t count)
{
    PyObject *number = PyLong_FromUnsignedLongLong(count);
    PyObject *zero = number == NULL ? NULL : zero_word(state);
    PyObject *array = zero == NULL ? NULL : PyNumber_Multiply(zero, number);

    Py_XDECREF(number);
    return array;
}

bool pointer_output_take(pointer_output *output, module_state *state, PyObject *into,
                         uint64_t count)
{
    if (into == NULL) {
        into = output->array = new_array(state, count);
    }
    return into != NULL &&
           pointer_input_take_buffer(&output->memory, state, into, PyBUF_RECORDS, "into");
}

void pointer_output_release(pointer_output *output)
{
    pointer_input_release(&output->memory);
    Py_XDECREF(output->array);
}

bool pointer_output_fits(const pointer_output *output, uint64_t count, const char *what)
{
    const pointer_view *view = &output->memory.view;

    if (count > view->count) {
        PyErr_Format(PyExc_ValueError, "into has room for %llu pointers, %s %llu",
                     (unsigned long long)view->count, what, (unsigned long long)count);
        return false;
    }
    if (count > 0 && !pointer_view_is_direct(view)) {
        PyErr_SetString(PyExc_ValueError, "into must be contiguous and aligned to 8 bytes");
        return false;
    }
    return true;
}

PyObject *pointer_output_result(const pointer_output *output, uint64_t count)
{
    return output->array != NULL ? Py_NewRef(output->array) : PyLong_FromUnsignedLongLong(count);
}
