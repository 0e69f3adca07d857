/* The functions of _core that an undo classifies elements with: core/classify.h, on Python's
 * buffers. */
#include "classified_elements.h"

#include <stdlib.h>

#include "../core/classify.h"
#include "../core/scattered/overlaps.h"

/* Returns whether `size` bytes are whole elements, and as many as `count` unless that is negative.
 */
static bool are_elements(Py_ssize_t size, unsigned unit, Py_ssize_t count)
{
    bool good = (unit == 1 || unit == 4 || unit == 8) && size % (Py_ssize_t)unit == 0 &&
                (count < 0 || size / (Py_ssize_t)unit == count);

    if (!good) {
        PyErr_SetString(PyExc_ValueError, "these are not equally many elements of 1, 4 or 8 bytes");
    }
    return good;
}

static unsigned char *bytes_of(PyObject *bytes)
{
    return (unsigned char *)PyBytes_AsString(bytes);
}

PyObject *classified_elements(PyObject *module, PyObject *arguments)
{
    Py_buffer found, old, written;
    unsigned unit;
    int mixed;
    PyObject *result = NULL;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*Ip", &found, &old, &written, &unit, &mixed)) {
        return NULL;
    }
    if (are_elements(found.len, unit, -1) &&
        are_elements(old.len, unit, found.len / (Py_ssize_t)unit) &&
        are_elements(written.len, unit, found.len / (Py_ssize_t)unit)) {
        result = PyByteArray_FromStringAndSize(NULL, found.len / (Py_ssize_t)unit);
    }
    if (result != NULL) {
        core_classify(found.buf, old.buf, written.buf, (size_t)found.len / unit, unit, mixed != 0,
                      (unsigned char *)PyByteArray_AsString(result));
    }
    PyBuffer_Release(&written);
    PyBuffer_Release(&old);
    PyBuffer_Release(&found);
    return result;
}

PyObject *classified_pick(PyObject *module, PyObject *arguments)
{
    Py_buffer data, kinds;
    unsigned unit, set;
    PyObject *result = NULL;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*Iy*I", &data, &unit, &kinds, &set)) {
        return NULL;
    }
    if (are_elements(data.len, unit, kinds.len)) {
        size_t count = (size_t)kinds.len;
        size_t picked = core_count_classified(kinds.buf, count, set);

        result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(picked * unit));
        if (result != NULL) {
            core_pick_classified(data.buf, count, unit, kinds.buf, set, bytes_of(result));
        }
    }
    PyBuffer_Release(&kinds);
    PyBuffer_Release(&data);
    return result;
}

PyObject *classified_places(PyObject *module, PyObject *arguments)
{
    unsigned long long address;
    Py_buffer kinds;
    unsigned unit, set;
    PyObject *result = NULL;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "KIy*I", &address, &unit, &kinds, &set)) {
        return NULL;
    }
    if (kinds.len <= PY_SSIZE_T_MAX / 8) {
        size_t count = (size_t)kinds.len;
        size_t picked = core_count_classified(kinds.buf, count, set);

        result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(picked * 8));
        if (result != NULL) {
            core_place_classified(address, count, unit, kinds.buf, set, bytes_of(result));
        }
    } else {
        (void)PyErr_NoMemory();
    }
    PyBuffer_Release(&kinds);
    return result;
}

/* Returns the groups as pairs of numbers. */
static PyObject *groups_of(const radix_entry *sorted, size_t count, uint32_t unit)
{
    PyObject *groups = PyList_New(0);
    size_t first = 0, past = 0;

    while (groups != NULL && (past = scattered_next_group(sorted, count, unit, &first)) != 0) {
        PyObject *pair = Py_BuildValue("nn", (Py_ssize_t)first, (Py_ssize_t)past);

        if (pair == NULL || PyList_Append(groups, pair) != 0) {
            Py_CLEAR(groups);
        }
        Py_XDECREF(pair);
        first = past;
    }
    return groups;
}

PyObject *classified_overlaps(PyObject *module, PyObject *arguments)
{
    Py_buffer addresses;
    unsigned unit;
    radix_entry *entries = NULL, *spare = NULL;
    PyObject *order = NULL, *groups = NULL, *result = NULL;
    size_t count;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*I", &addresses, &unit)) {
        return NULL;
    }
    count = (size_t)addresses.len / 8;
    if (!are_elements(addresses.len, 8, -1)) {
        goto done;
    }
    if (count < PY_SSIZE_T_MAX / sizeof *entries) {
        entries = malloc(count * sizeof *entries + 1);
        spare = malloc(count * sizeof *spare + 1);
        order = PyBytes_FromStringAndSize(NULL, addresses.len);
    }
    if (entries == NULL || spare == NULL || order == NULL) {
        (void)PyErr_NoMemory();
    } else {
        const radix_entry *sorted = scattered_by_address(addresses.buf, count, entries, spare);

        for (size_t i = 0; i < count; i++) {
            ((uint64_t *)(void *)bytes_of(order))[i] = sorted[i].value;
        }
        groups = groups_of(sorted, count, unit);
    }
    if (groups != NULL) {
        result = PyTuple_Pack(2, order, groups);
    }
done:
    Py_XDECREF(groups);
    Py_XDECREF(order);
    free(spare);
    free(entries);
    PyBuffer_Release(&addresses);
    return result;
}

bool classified_add_constants(PyObject *module)
{
    return PyModule_AddIntConstant(module, "ELEMENT_OLD", ELEMENT_OLD) == 0 &&
           PyModule_AddIntConstant(module, "ELEMENT_WRITTEN", ELEMENT_WRITTEN) == 0 &&
           PyModule_AddIntConstant(module, "ELEMENT_CONFLICTING", ELEMENT_CONFLICTING) == 0;
}
