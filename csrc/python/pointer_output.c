/* Arrays that pointers are read into; see pointer_output.h. */
#include "pointer_output.h"

PyObject *pointer_output_array(const module_state *state, uint64_t count)
{
    PyObject *number = PyLong_FromUnsignedLongLong(count);
    PyObject *array = number == NULL ? NULL : PyNumber_Multiply(state->zero_word, number);

    Py_XDECREF(number);
    return array;
}
