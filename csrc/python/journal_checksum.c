/* The checksum of journals for Python; see journal_checksum.h. */
#include "journal_checksum.h"

#include "../base/checksum.h"

PyObject *journal_checksum(PyObject *module, PyObject *arguments)
{
    Py_buffer data;
    unsigned long long seed;
    uint64_t sum;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*K:checksum", &data, &seed)) {
        return NULL;
    }
    sum = checksum64(seed, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    return PyLong_FromUnsignedLongLong(sum);
}
