/* Parsing call arguments; see arguments.h. */
#include "arguments.h"

#include "failures.h"

static int index_of_name(const call_signature *signature, PyObject *name)
{
    for (int i = 0; signature->names[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

bool arguments_parse(const call_signature *signature, PyObject *const *arguments, Py_ssize_t count,
                     PyObject *names, PyObject **values)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);

    if (count > signature->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments, got %zd",
                     signature->function, signature->positional, count);
        return false;
    }
    for (Py_ssize_t i = 0; signature->names[i] != NULL; i++) {
        values[i] = i < count ? arguments[i] : NULL;
    }
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        int place = index_of_name(signature, name);

        if (place < 0) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                         signature->function, name);
            return false;
        }
        if (values[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'",
                         signature->function, signature->names[place]);
            return false;
        }
        values[place] = arguments[count + i];
    }
    for (int i = 0; i < signature->required; i++) {
        if (values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'",
                         signature->function, signature->names[i]);
            return false;
        }
    }
    return true;
}

/* Returns the name of an argument in errors, or of its element `index` if that is not below 0. */
static PyObject *place_of(const char *what, Py_ssize_t index)
{
    return index < 0 ? PyUnicode_FromString(what) : PyUnicode_FromFormat("%s[%zd]", what, index);
}

static void raise_no_int(PyObject *object, const char *what, Py_ssize_t index)
{
    PyObject *place = place_of(what, index);

    if (place != NULL) {
        PyErr_Format(PyExc_TypeError, "%U must be an int, got an object of %R%s", place,
                     (PyObject *)Py_TYPE(object),
                     PyUnicode_Check(object) ? "; session.resolve() makes one of a name" : "");
    }
    Py_XDECREF(place);
}

/* Returns whether the object is a numpy masked array. There is none before its module is loaded. */
static bool is_masked(PyObject *object)
{
    PyObject *name = PyUnicode_FromString("numpy.ma");
    PyObject *module = name == NULL ? NULL : PyImport_GetModule(name);
    PyObject *type = module == NULL ? NULL : PyObject_GetAttrString(module, "MaskedArray");
    bool masked = type != NULL && PyType_Check(type) &&
                  PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)type);

    PyErr_Clear(); /* a module that is still being loaded */
    Py_XDECREF(type);
    Py_XDECREF(module);
    Py_XDECREF(name);
    return masked;
}

static bool refuse_masked(PyObject *object, const char *what, Py_ssize_t index)
{
    bool masked = is_masked(object);
    PyObject *place = masked ? place_of(what, index) : NULL;

    if (place != NULL) {
        PyErr_Format(PyExc_TypeError,
                     "%U is a masked array, whose memory has values for masked elements, too: pass "
                     "array.filled(value), array.compressed(), or array.data for all of its memory",
                     place);
    }
    Py_XDECREF(place);
    return masked;
}

bool arguments_buffer(module_state *state, PyObject *object, const char *what)
{
    PyObject *type = (PyObject *)Py_TYPE(object);

    if (type !=
        state_kept(
            &state->plain_buffer)) { /* the check costs as much as a third of a small write */
        if (refuse_masked(object, what, -1)) {
            return false;
        }
        state_replace(&state->plain_buffer, Py_NewRef(type));
    }
    return true;
}

static void raise_overflow(PyObject *number, const char *what, Py_ssize_t index)
{
    /* Python refuses to print an int of thousands of digits, so those are named by their size. */
    PyObject *bits = PyObject_CallMethod(number, "bit_length", NULL);
    Py_ssize_t size = bits == NULL ? -1 : PyLong_AsSsize_t(bits);
    PyObject *place = place_of(what, index);

    if (place != NULL && size >= 0 && size <= 256) {
        PyErr_Format(PyExc_OverflowError, "%U must be from 0 to 2**64 - 1, got %R", place, number);
    } else if (place != NULL && size > 256) {
        PyErr_Format(PyExc_OverflowError, "%U must be from 0 to 2**64 - 1, got an int of %zd bits",
                     place, size);
    }
    Py_XDECREF(place);
    Py_XDECREF(bits);
}

bool arguments_element(PyObject *object, const char *what, Py_ssize_t index, uint64_t *value)
{
    PyObject *number = NULL;
    bool good = false;

    if (arguments_plain_int(object, value)) {
        return true;
    }
    if (PyLong_CheckExact(object)) {
        number = Py_NewRef(object);
    } else if (PyBool_Check(object) || !PyIndex_Check(object)) {
        raise_no_int(object, what, index);
    } else if (!PySequence_Check(object) || !refuse_masked(object, what, index)) {
        number = PyNumber_Index(object); /* numpy's numbers, unlike its arrays, are not sequences */
    }
    if (number != NULL) {
        *value = PyLong_AsUnsignedLongLong(number);
        good = *value != UINT64_MAX || !PyErr_Occurred();
        if (!good && PyErr_ExceptionMatches(PyExc_OverflowError)) {
            PyErr_Clear();
            raise_overflow(number, what, index);
        }
    }
    Py_XDECREF(number);
    return good;
}

bool arguments_unsigned(PyObject *object, const char *what, uint64_t *value)
{
    return object == NULL || arguments_element(object, what, -1, value);
}

/* Returns whether a buffer can have that size. */
static bool is_size(PyObject *object, const char *what, uint64_t value)
{
    bool good = value <= (uint64_t)PY_SSIZE_T_MAX;

    if (!good) {
        PyErr_Format(PyExc_OverflowError, "%s must be at most %zd, got %R", what, PY_SSIZE_T_MAX,
                     object);
    }
    return good;
}

bool arguments_size(PyObject *object, const char *what, uint64_t *value)
{
    return arguments_unsigned(object, what, value) && is_size(object, what, *value);
}

bool arguments_ulong(PyObject *object, const char *what, uint32_t *value)
{
    uint64_t wide = *value;
    bool good = arguments_unsigned(object, what, &wide);

    if (good && wide > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError,
                     "%s is a ULONG in the engine's call: at most 2**32 - 1, got %R", what, object);
        good = false;
    }
    *value = (uint32_t)wide;
    return good;
}

bool arguments_ulong_size(PyObject *object, const char *what, uint32_t *value)
{
    return arguments_ulong(object, what, value) && is_size(object, what, *value);
}

bool arguments_given_callable(PyObject *object, const char *what, PyObject **callable)
{
    if (object == Py_None) {
        return true;
    }
    if (!PyCallable_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable or None, got an object of %R", what,
                     (PyObject *)Py_TYPE(object));
        return false;
    }
    *callable = object;
    return true;
}

bool arguments_given_flag(PyObject *object, bool *flag)
{
    int truth = PyObject_IsTrue(object);

    *flag = truth > 0;
    return truth >= 0;
}

/* After PyObject_GetBuffer(object, .., PyBUF_SIMPLE) failed: if it failed because the memory is
 * strided, replaces the message by ours; any other exception stays. */
static void raise_no_bytes(const module_state *state, PyObject *object, const char *what)
{
    PyObject *refusal = failure_take_refusal(state);
    PyObject *second = NULL;
    Py_buffer any = {0};
    bool strided = false;

    if (refusal != NULL && PyObject_GetBuffer(object, &any, PyBUF_FULL_RO) == 0) {
        strided = PyBuffer_IsContiguous(&any, 'C') == 0;
        PyBuffer_Release(&any);
    } else if (refusal != NULL) {
        second = failure_take_refusal(state);
    }
    if (strided) {
        PyErr_Format(PyExc_ValueError,
                     "%s must be contiguous bytes-like memory, got a strided object of %R", what,
                     (PyObject *)Py_TYPE(object));
    } else if (second != NULL || (refusal != NULL && PyErr_Occurred() == NULL)) {
        /* As it was: PyErr_SetObject() would give it another __context__. */
        PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(refusal)), Py_NewRef(refusal),
                      PyException_GetTraceback(refusal));
    }
    Py_XDECREF(second);
    Py_XDECREF(refusal);
}

bool arguments_bytes(module_state *state, PyObject *object, const char *what, Py_buffer *buffer)
{
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be bytes-like, got an object of %R", what,
                     (PyObject *)Py_TYPE(object));
        return false;
    }
    if (!arguments_buffer(state, object, what)) {
        return false;
    }
    if (PyObject_GetBuffer(object, buffer, PyBUF_SIMPLE) < 0) {
        raise_no_bytes(state, object, what);
        return false;
    }
    return true;
}

/* At most this many views of views are followed. */
#define MOST_VIEWS 16

/* PyObject_IsInstance() would also look up __class__, for each of the types. */
static bool is_of_types(PyObject *object, PyObject *types)
{
    Py_ssize_t count = types == NULL ? 0 : PyTuple_Size(types);
    bool found = false;

    for (Py_ssize_t i = 0; i < count && !found; i++) {
        found = PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)PyTuple_GetItem(types, i)) != 0;
    }
    return found;
}

bool arguments_may_be_gone(module_state *state, const Py_buffer *buffer)
{
    PyObject *owner = Py_XNewRef(buffer->obj);
    PyObject *on_heap = state_kept(&state->heap_buffers);
    bool owned = owner == NULL;
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    if (!owned && on_heap == NULL) {
        on_heap = state_keep_first(&state->heap_buffers,
                                   PyObject_CallMethod(state->from_c, "heap_buffers", NULL));
    }
    for (int i = 0; !owned && owner != NULL && i < MOST_VIEWS; i++) {
        PyObject *next = NULL;

        owned = is_of_types(owner, on_heap);
        if (!owned) { /* a memoryview's `obj`, or numpy's `base`, which is None if it owns its
                         memory */
            next = PyObject_GetAttrString(owner, PyMemoryView_Check(owner) ? "obj" : "base");
            owned = next == Py_None;
        }
        Py_DECREF(owner);
        owner = next;
    }
    Py_XDECREF(owner);
    PyErr_Restore(type, value, trace);
    return !owned;
}
