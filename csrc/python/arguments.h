/* Arguments of METH_FASTCALL | METH_KEYWORDS functions, and the integers among them.
 *
 * The Limited API has no fast parser with keywords. This one is small: writing one pointer a call
 * must not cost more than the system call behind it.
 */
#ifndef PYDBGWRITE_PYTHON_ARGUMENTS_H
#define PYDBGWRITE_PYTHON_ARGUMENTS_H

#include "state.h"

#include <stdbool.h>
#include <stdint.h>

#define KEYWORD_METHOD(name)                                                                       \
    PyObject *name(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names)

/* Converts an object that is exactly an int from 0 to 2^63-1, as nearly all are, in a third of the
 * time of PyLong_AsUnsignedLongLong(). False: it is not one, and no exception is set. */
static inline bool arguments_plain_int(PyObject *object, uint64_t *value)
{
    int overflow = 0;
    long long number =
        PyLong_CheckExact(object) ? PyLong_AsLongLongAndOverflow(object, &overflow) : -1;
    bool good = number >= 0 && overflow == 0;

    if (good) {
        *value = (uint64_t)number;
    }
    return good;
}

typedef struct call_signature {
    const char *function;
    const char *const *names; /* of all parameters, NULL at the end */
    int required;             /* this many from the front must be given */
    int positional;           /* this many from the front may be given by position */
    bool writes;              /* the function writes to the target */
} call_signature;

/* Fills `values` (borrowed; NULL if not given). False: an exception is set. */
bool arguments_parse(const call_signature *signature, PyObject *const *arguments, Py_ssize_t count,
                     PyObject *names, PyObject **values);

/* Conversions. `what` names the value in errors. A value that was not given (NULL) leaves the
 * result unchanged. False: an exception is set. */

/* An int (or an object with __index__; no bool) of 0 to 2^64-1. */
bool arguments_unsigned(PyObject *object, const char *what, uint64_t *value);

/* The same for an element of a sequence. */
bool arguments_element(PyObject *object, const char *what, Py_ssize_t index, uint64_t *value);

/* The same for a number of elements or bytes: at most PY_SSIZE_T_MAX. */
bool arguments_size(PyObject *object, const char *what, uint64_t *value);

/* The same for a ULONG parameter of the engine: at most 2^32-1. */
bool arguments_ulong(PyObject *object, const char *what, uint32_t *value);

/* The same, and at most PY_SSIZE_T_MAX: a 32-bit Python has no buffer for each ULONG. */
bool arguments_ulong_size(PyObject *object, const char *what, uint32_t *value);

/* A callable, borrowed; None leaves the result unchanged. */
bool arguments_given_callable(PyObject *object, const char *what, PyObject **callable);
static inline bool arguments_callable(PyObject *object, const char *what, PyObject **callable)
{
    return object == NULL || arguments_given_callable(object, what, callable);
}

/* The truth value of any object. */
bool arguments_given_flag(PyObject *object, bool *flag);
static inline bool arguments_flag(PyObject *object, bool *flag)
{
    return object == NULL || arguments_given_flag(object, flag);
}

/* To be called before an object's buffer is taken: false, with an exception, for a numpy masked
 * array, whose mask is no part of its buffer. */
bool arguments_buffer(module_state *state, PyObject *object, const char *what);

/* Contiguous bytes-like memory. PyBuffer_Release() follows; it does nothing to a zeroed buffer that
 * was not taken. */
bool arguments_bytes(module_state *state, PyObject *object, const char *what, Py_buffer *buffer);

/* Returns whether the memory of this buffer may be gone, as that of a mapped file that was
 * truncated. The memory of bytes, bytearray and array, and of numpy arrays that own theirs, can't
 * be. */
bool arguments_may_be_gone(module_state *state, const Py_buffer *buffer);

#endif
