/* Arrays that pointers are read into; see pointer_output.h. */
#include "pointer_output.h"

/* The module array imports collections, which costs more than this package: so not before use. */
static PyObject *zero_word(module_state *state)
{
    PyObject *module = NULL;

    if (state->zero_word == NULL) {
        module = PyImport_ImportModule("array");
    }
    if (module != NULL) {
        state->zero_word = PyObject_CallMethod(module, "array", "s(i)", "Q", 0);
        Py_DECREF(module);
    }
    return state->zero_word;
}

PyObject *pointer_output_array(module_state *state, uint64_t count)
{
    PyObject *number = PyLong_FromUnsignedLongLong(count);
    PyObject *zero = number == NULL ? NULL : zero_word(state);
    PyObject *array = zero == NULL ? NULL : PyNumber_Multiply(zero, number);

    Py_XDECREF(number);
    return array;
}
