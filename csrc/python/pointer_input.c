/* Taking pointers from Python: buffers without a copy, ints and names by conversion; see
 * pointer_input.h. */
#include "pointer_input.h"

#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "failures.h"

#if UINTPTR_MAX > UINT32_MAX
#define OR_POINTERS " or c_void_p"
#else
#define OR_POINTERS
#endif

#define TAKEN                                                                                      \
    "64-bit unsigned integers in native byte order are taken: array('Q'), a one-dimensional "      \
    "numpy uint64 array, a ctypes array of c_uint64" OR_POINTERS ", a memoryview of these, raw "   \
    "bytes, or a list, tuple or other iterable of ints"

/* Elements of an iterator between two checks for Ctrl-C: about a millisecond. */
#define SIGNAL_CHECK_ELEMENTS 65536u

static bool host_is_little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;

    memcpy(&first, &one, 1);
    return first == 1;
}

/* Returns the one format character behind an optional byte-order mark; 0 for anything more
 * complicated. *native says whether the order is this machine's. The buffer protocol's formats are
 * those of the struct module (PEP 3118); a missing one means 'B'. */
static char format_letter(const char *format, bool *native)
{
    char letter = 'B';

    *native = true;
    if (format != NULL) {
        if (*format == '<' || *format == '>' || *format == '!') {
            *native = (*format == '<') == host_is_little_endian();
            format++;
        } else if (*format == '@' || *format == '=') {
            format++;
        }
        letter = format[0] != '\0' && format[1] == '\0' ? format[0] : '\0';
    }
    return letter;
}

static bool is_one_of(const char *letters, char letter)
{
    while (*letters != letter && *letters != '\0') {
        letters++;
    }
    return *letters != '\0'; /* so no letter is none of them */
}

/* Checks a buffer that is held, and makes a view of it. */
static bool view_of_buffer(PyObject *object, const Py_buffer *buffer, const char *what,
                           pointer_view *view)
{
    /* The letter alone says nothing about the width: numpy's uint64 is 'L' on Linux, a ctypes one
     * '<Q', array's 'Q', a c_void_p '<P'. The item size and the kind of the letter decide. */
    const char *shown = buffer->format == NULL ? "B" : buffer->format;
    PyObject *type = (PyObject *)Py_TYPE(object);
    bool native = true;
    char letter = format_letter(buffer->format, &native);
    bool integers = is_one_of("QqLlNnP", letter) && buffer->itemsize == 8;
    bool raw = is_one_of("Bbc", letter) && buffer->itemsize == 1;
    bool good = false;

    if (buffer->ndim != 1) {
        PyErr_Format(PyExc_TypeError, "%s must have one dimension, got %R with %d; pass %s", what,
                     type, buffer->ndim,
                     buffer->ndim == 0 ? "a list of its value, or numpy's array.reshape(1)"
                                       : "array.reshape(-1) (it does not copy where the memory is "
                                         "contiguous)");
    } else if (!integers && !raw) {
        PyErr_Format(PyExc_TypeError, "%s: got %R with items of format '%s' (%zd bytes); " TAKEN,
                     what, type, shown, buffer->itemsize);
    } else if (!native && integers) {
        PyErr_Format(PyExc_TypeError,
                     "%s: got %R in another byte order (format '%s'); convert it first, with numpy "
                     "array.astype('u8'). " TAKEN,
                     what, type, shown);
    } else if (raw && buffer->len % 8 != 0) {
        PyErr_Format(PyExc_ValueError,
                     "%s: raw bytes must be a multiple of 8 long, got %R of %zd bytes", what, type,
                     buffer->len);
    } else if (raw && buffer->strides != NULL && buffer->shape[0] > 1 && buffer->strides[0] != 1) {
        PyErr_Format(PyExc_ValueError,
                     "%s: raw bytes must be contiguous, got %R with a stride of %zd bytes", what,
                     type, buffer->strides[0]);
    } else {
        view->first = buffer->buf;
        view->count = (uint64_t)(raw ? buffer->len / 8 : buffer->shape[0]);
        view->stride = raw || buffer->strides == NULL ? 8 : buffer->strides[0];
        good = true;
    }
    return good;
}

/* Makes an exception of the object's own code the cause of ours, and takes over the reference. One
 * that no Python code raised says no more than ours. */
static void give_cause(PyObject *error)
{
    PyObject *trace = PyException_GetTraceback(error);

    if (trace == NULL) {
        Py_DECREF(error);
    } else {
        failure_set_reason(error, true);
        Py_DECREF(trace);
    }
}

/* After PyObject_GetBuffer() failed: raises our message about the object. */
static void raise_no_buffer(const module_state *state, PyObject *object, const char *what)
{
    PyObject *error = failure_take_refusal(state);

    if (error != NULL) {
        PyErr_Format(PyExc_TypeError, "%s: %R does not export its memory (%S); " TAKEN, what,
                     (PyObject *)Py_TYPE(object), error);
        give_cause(error);
    }
}

/* Returns a new reference to a list's or tuple's element; NULL if the list has become shorter. */
static PyObject *element_of(PyObject *sequence, bool is_list, Py_ssize_t index)
{
    PyObject *element;

#if defined(Py_GIL_DISABLED)
    if (is_list) {
        return PyList_GetItemRef(sequence, index);
    }
#endif
    element = is_list ? PyList_GetItem(sequence, index) : PyTuple_GetItem(sequence, index);
    Py_XINCREF(element);
    return element;
}

/* Converts elements that are exactly ints, from `from` on, up to the first that is not one or does
 * not fit; returns its index. Nothing here can run Python code or block, so the list stays
 * unchanged and its elements alive while it is locked. */
static Py_ssize_t plain_ints(PyObject *sequence, bool is_list, Py_ssize_t from, Py_ssize_t size,
                             uint64_t *values)
{
    Py_ssize_t i = from;
    bool plain = true;

    OBJECT_LOCK(sequence);
    while (plain && i < size) {
        PyObject *element = is_list ? PyList_GetItem(sequence, i) : PyTuple_GetItem(sequence, i);

        plain = element != NULL && PyLong_CheckExact(element);
        if (plain && !arguments_plain_int(element, &values[i])) {
            unsigned long long value = PyLong_AsUnsignedLongLong(element);

            values[i] = value;
            plain = value != (unsigned long long)-1 || !PyErr_Occurred();
        }
        i += plain ? 1 : 0;
    }
    OBJECT_UNLOCK(sequence);
    if (i < size) {
        PyErr_Clear(); /* the caller raises it again, in our words */
    }
    return i;
}

/* Converts an element; a name only where they are taken. */
static bool convert(call_names *names, PyObject *element, const char *what, Py_ssize_t index,
                    uint64_t *value)
{
    return names == NULL ? arguments_element(element, what, index, value)
                         : names_address(names, element, what, index, value);
}

static uint64_t *of_list_or_tuple(PyObject *object, call_names *names, const char *what,
                                  uint64_t *count)
{
    bool is_list = PyList_Check(object);
    Py_ssize_t size = is_list ? PyList_Size(object) : PyTuple_Size(object);
    uint64_t *values = NULL;
    bool good = true, shorter = false;
    Py_ssize_t i = 0;

    if ((size_t)size > SIZE_MAX / sizeof(uint64_t) ||
        (values = malloc(size > 0 ? (size_t)size * sizeof(uint64_t) : 1)) == NULL) {
        (void)PyErr_NoMemory();
        good = false;
    }
    while (good && !shorter && (i = plain_ints(object, is_list, i, size, values)) < size) {
        PyObject *element = element_of(object, is_list, i);

        shorter = element == NULL;
        good = shorter || convert(names, element, what, i, &values[i]);
        Py_XDECREF(element);
        i++;
    }
    /* An element's __index__ can do anything, to this very list too, and so can another thread. Its
     * exception propagates. */
    if (good && is_list && (shorter || PyList_Size(object) != size)) {
        PyErr_Format(PyExc_RuntimeError,
                     "%s: the list changed its size while it was converted; nothing was written",
                     what);
        good = false;
    }
    if (!good) {
        free(values);
        values = NULL;
    }
    *count = (uint64_t)size;
    return values;
}

static uint64_t *of_iterator(PyObject *iterator, call_names *names, const char *what,
                             uint64_t *count)
{
    size_t capacity = 64;
    uint64_t *values = malloc(capacity * sizeof(uint64_t));
    PyObject *element = NULL;
    bool good = values != NULL;

    *count = 0;
    if (!good) {
        (void)PyErr_NoMemory();
    }
    while (good && (element = PyIter_Next(iterator)) != NULL) {
        if (*count == capacity) {
            uint64_t *grown = NULL;

            if (capacity <= SIZE_MAX / sizeof(uint64_t) / 2) {
                grown = realloc(values, capacity * 2 * sizeof(uint64_t));
            }
            if (grown == NULL) {
                (void)PyErr_NoMemory();
                good = false;
            } else {
                values = grown;
                capacity *= 2;
            }
        }
        good = good && convert(names, element, what, (Py_ssize_t)*count, &values[*count]);
        Py_DECREF(element);
        *count += 1;
        /* An endless iterator that is written in C never checks for Ctrl-C itself. */
        if (good && *count % SIGNAL_CHECK_ELEMENTS == 0) {
            good = PyErr_CheckSignals() == 0;
        }
    }
    if (good && PyErr_Occurred()) { /* the iterator's own exception */
        good = false;
    }
    if (!good) {
        free(values);
        values = NULL;
    }
    return values;
}

/* 1: mapping, set or str, whose order or meaning is not that of an array; 0: none of them; -1:
 * error. */
static int is_no_sequence(module_state *state, PyObject *object)
{
    PyObject *types = state_kept(&state->no_sequences);

    if (types == NULL) {
        types = state_keep_first(&state->no_sequences,
                                 PyObject_CallMethod(state->from_c, "no_sequences", NULL));
    }
    return types == NULL ? -1 : PyObject_IsInstance(object, types);
}

/* Returns all pointers of an iterable in one block of memory. NULL: an exception is set. */
static uint64_t *of_iterable(module_state *state, call_names *names, PyObject *object,
                             const char *what, uint64_t *count)
{
    PyObject *iterator = NULL;
    uint64_t *values = NULL;
    int refused;

    if (PyList_Check(object) || PyTuple_Check(object)) {
        return of_list_or_tuple(object, names, what, count);
    }
    refused = is_no_sequence(state, object);
    if (refused < 0) {
        return NULL;
    }
    iterator = refused ? NULL : PyObject_GetIter(object);
    if (iterator != NULL) {
        values = of_iterator(iterator, names, what, count);
        Py_DECREF(iterator);
    } else if (PyUnicode_Check(object) && names != NULL) {
        PyErr_Format(PyExc_TypeError,
                     "%s: got %R, %.100R: names go into a list, [name]; " TAKEN " and names", what,
                     (PyObject *)Py_TYPE(object), object);
    } else if (refused) {
        PyErr_Format(PyExc_TypeError, "%s: got %R; " TAKEN, what, (PyObject *)Py_TYPE(object));
    } else if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyObject *error = failure_take_refusal(state);

        if (error != NULL) {
            PyErr_Format(PyExc_TypeError, "%s: got %R; " TAKEN, what, (PyObject *)Py_TYPE(object));
            give_cause(error);
        }
    }
    return values;
}

bool pointer_input_take_buffer(pointer_input *input, module_state *state, PyObject *object,
                               int flags, const char *what)
{
    if (!arguments_buffer(state, object, what)) {
        return false;
    }
    if (PyObject_GetBuffer(object, &input->buffer, flags) < 0) {
        raise_no_buffer(state, object, what);
        return false;
    }
    return view_of_buffer(object, &input->buffer, what, &input->view);
}

bool pointer_input_take(pointer_input *input, module_state *state, call_names *names,
                        PyObject *object, const char *what)
{
    if (PyObject_CheckBuffer(object)) {
        return pointer_input_take_buffer(input, state, object, PyBUF_RECORDS_RO, what);
    }
    input->converted = of_iterable(state, names, object, what, &input->view.count);
    input->view.first = (const unsigned char *)input->converted;
    input->view.stride = sizeof(uint64_t);
    return input->converted != NULL;
}

int pointer_input_is_one(const module_state *state, PyObject *object)
{
    Py_buffer buffer = {0};
    int one = PyLong_Check(object) || PyIndex_Check(object) ? 1 : 0;
    bool native;

    if (one > 0 &&
        PyObject_CheckBuffer(object)) { /* numpy's arrays, of any shape, have __index__ */
        if (PyObject_GetBuffer(object, &buffer, PyBUF_RECORDS_RO) == 0) {
            one = buffer.ndim == 0 &&
                  is_one_of("bBhHiIlLqQnN", format_letter(buffer.format, &native));
            PyBuffer_Release(&buffer);
        } else { /* a refusal is raised when the buffer is taken */
            PyObject *refusal = failure_take_refusal(state);

            one = refusal == NULL ? -1 : 0;
            Py_XDECREF(refusal);
        }
    }
    return one;
}
