/* Parsing call arguments; see arguments.h. */
#include "arguments.h"

static int index_of_name(const call_signature *signature, PyObject *name)
{
    int found = -1;

    for (int i = 0; found < 0 && signature->names[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0) {
            found = i;
        }
    }
    return found;
}

bool arguments_parse(const call_signature *signature, PyObject *const *arguments, Py_ssize_t count,
                     PyObject *names, PyObject **values)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    bool good = true;

    for (int i = 0; signature->names[i] != NULL; i++) {
        values[i] = NULL;
    }
    if (count > signature->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments, got %zd",
                     signature->function, signature->positional, count);
        good = false;
    }
    for (Py_ssize_t i = 0; good && i < count; i++) {
        values[i] = arguments[i];
    }
    for (Py_ssize_t i = 0; good && i < named; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        int place = name == NULL ? -1 : index_of_name(signature, name);

        if (place < 0) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                         signature->function, name);
            good = false;
        } else if (values[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'",
                         signature->function, signature->names[place]);
            good = false;
        } else {
            values[place] = arguments[count + i];
        }
    }
    for (int i = 0; good && i < signature->required; i++) {
        if (values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'",
                         signature->function, signature->names[i]);
            good = false;
        }
    }
    return good;
}

void arguments_overflow(const char *what, Py_ssize_t index, PyObject *number)
{
    /* Python refuses to print an int of thousands of digits, so those are named by their size. */
    PyObject *bits = PyObject_CallMethod(number, "bit_length", NULL);
    Py_ssize_t size = bits == NULL ? -1 : PyLong_AsSsize_t(bits);
    PyObject *place =
        index < 0 ? PyUnicode_FromString(what) : PyUnicode_FromFormat("%s[%zd]", what, index);

    if (place != NULL && size >= 0 && size <= 256) {
        PyErr_Format(PyExc_OverflowError, "%U must be from 0 to 2**64 - 1, got %R", place, number);
    } else if (place != NULL && size > 256) {
        PyErr_Format(PyExc_OverflowError, "%U must be from 0 to 2**64 - 1, got an int of %zd bits",
                     place, size);
    }
    Py_XDECREF(place);
    Py_XDECREF(bits);
}

/* The value of an int that is one exactly. */
static bool unsigned_of_int(PyObject *number, const char *what, uint64_t *value)
{
    unsigned long long result = PyLong_AsUnsignedLongLong(number);
    bool good = true;

    if (result == (unsigned long long)-1 && PyErr_Occurred()) {
        good = false;
        if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
            PyErr_Clear();
            arguments_overflow(what, -1, number);
        }
    }
    *value = result;
    return good;
}

bool arguments_unsigned(PyObject *object, const char *what, uint64_t *value)
{
    PyObject *number = NULL;
    bool good = false;

    if (PyLong_CheckExact(object)) {
        good = unsigned_of_int(object, what, value);
    } else if (PyBool_Check(object) || !PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, got an object of %R", what,
                     (PyObject *)Py_TYPE(object));
    } else {
        number = PyNumber_Index(object);
        good = number != NULL && unsigned_of_int(number, what, value);
    }
    Py_XDECREF(number);
    return good;
}

bool arguments_size(PyObject *object, const char *what, uint64_t *value)
{
    bool good = arguments_unsigned(object, what, value);

    if (good && *value > (uint64_t)PY_SSIZE_T_MAX) {
        PyErr_Format(PyExc_OverflowError, "%s must be at most %zd, got %R", what, PY_SSIZE_T_MAX,
                     object);
        good = false;
    }
    return good;
}

bool arguments_ulong(PyObject *object, const char *what, uint32_t *value)
{
    uint64_t wide = 0;
    bool good = arguments_unsigned(object, what, &wide);

    if (good && wide > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError,
                     "%s is a ULONG in the engine's call: at most 2**32 - 1, got %R", what, object);
        good = false;
    }
    *value = (uint32_t)wide;
    return good;
}

void arguments_no_bytes(PyObject *object, const char *what)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    Py_buffer strided = {0};

    PyErr_Fetch(&type, &value, &trace);
    if (PyObject_CheckBuffer(object) && PyObject_GetBuffer(object, &strided, PyBUF_FULL_RO) == 0 &&
        !PyBuffer_IsContiguous(&strided, 'C')) {
        Py_CLEAR(type);
        Py_CLEAR(value);
        Py_CLEAR(trace);
        PyErr_Format(PyExc_ValueError,
                     "%s must be contiguous bytes-like memory, got a strided object of %R", what,
                     (PyObject *)Py_TYPE(object));
    } else {
        PyErr_Restore(type, value, trace); /* drops what the second attempt may have raised */
    }
    if (strided.obj != NULL) {
        PyBuffer_Release(&strided);
    }
}

bool arguments_callable(PyObject *object, const char *what, PyObject **callable)
{
    bool good = true;

    *callable = object == Py_None ? NULL : object;
    if (*callable != NULL && !PyCallable_Check(*callable)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable or None, got an object of %R", what,
                     (PyObject *)Py_TYPE(object));
        good = false;
    }
    return good;
}

bool arguments_flag(PyObject *object, bool otherwise, bool *flag)
{
    int truth = object == NULL ? (int)otherwise : PyObject_IsTrue(object);

    *flag = truth > 0;
    return truth >= 0;
}
