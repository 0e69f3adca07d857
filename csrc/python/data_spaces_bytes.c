/* The raw layer's calls on bytes: read, write, fill and search.
 *
 * Every method is one engine call. It returns the out-parameters; any HRESULT but S_OK raises. What
 * the engine takes or refuses is the engine's to say: a range that wraps is passed on.
 */
#include "data_spaces_bytes.h"

#include "../core/read_back.h"
#include "failures.h"
#include "raw_call.h"

/* The shape that ReadVirtual, ReadVirtualUncached and ReadPhysical share. */
typedef HRESULT(STDMETHODCALLTYPE *reader)(IDebugDataSpaces4 *, ULONG64, void *, ULONG, ULONG *);

enum { READ_VIRTUAL, READ_UNCACHED, READ_PHYSICAL };

static PyObject *read_by(int which, const call_signature *signature, PyObject *self,
                         PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    static const char *const methods[] = {"ReadVirtual", "ReadVirtualUncached", "ReadPhysical"};
    raw_call call;
    PyObject *bytes = NULL, *result = NULL;
    uint64_t offset = 0;
    uint64_t bytes_wanted = 0;
    uint32_t size = 0;
    ULONG read = 0;
    HRESULT status;
    reader function = NULL;

    if (!raw_begin(&call, self, signature, arguments, count, names, false) ||
        !arguments_unsigned(call.values[0], "offset", &offset) ||
        !arguments_ulong(call.values[1], "buffer_size", &size)) {
        goto done;
    }
    bytes_wanted = size; /* a ULONG may be more than a 32-bit Python can hold */
    if (bytes_wanted > (uint64_t)PY_SSIZE_T_MAX ||
        (bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size)) == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    function = which == READ_VIRTUAL    ? call.spaces->lpVtbl->ReadVirtual
               : which == READ_UNCACHED ? call.spaces->lpVtbl->ReadVirtualUncached
                                        : call.spaces->lpVtbl->ReadPhysical;
    raw_leave_python(&call, size);
    status = function(call.spaces, offset, PyBytes_AsString(bytes), size, &read);
    raw_enter_python(&call);
    if (status == S_OK) {
        result = PyBytes_FromStringAndSize(PyBytes_AsString(bytes),
                                           (Py_ssize_t)(read < size ? read : size));
    } else {
        failure_raise_at(call.session, methods[which], status, offset, size, false);
    }
done:
    Py_XDECREF(bytes);
    raw_finish(&call);
    return result;
}

enum { WRITE_VIRTUAL, WRITE_UNCACHED, WRITE_PHYSICAL };

static PyObject *write_by(int which, const call_signature *signature, PyObject *self,
                          PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    static const char *const methods[] = {"WriteVirtual", "WriteVirtualUncached", "WritePhysical"};
    raw_call call;
    PyObject *result = NULL;
    Py_buffer buffer = {0};
    core_error error = {0};
    uint64_t offset = 0;
    ULONG written = 0;
    HRESULT status;
    reader function = NULL;

    if (!raw_begin(&call, self, signature, arguments, count, names, true) ||
        !arguments_unsigned(call.values[0], "offset", &offset)) {
        goto done;
    }
    if (PyObject_GetBuffer(call.values[1], &buffer, PyBUF_SIMPLE) < 0) {
        arguments_no_bytes(call.values[1], "buffer");
        goto done;
    }
    if ((uint64_t)buffer.len > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError,
                        "buffer_size is a ULONG in the engine's call: at most 2**32 - 1 bytes");
        goto done;
    }
    function = which == WRITE_VIRTUAL    ? call.spaces->lpVtbl->WriteVirtual
               : which == WRITE_UNCACHED ? call.spaces->lpVtbl->WriteVirtualUncached
                                         : call.spaces->lpVtbl->WritePhysical;
    raw_leave_python(&call, (uint64_t)buffer.len);
    status = function(call.spaces, offset, buffer.buf, (ULONG)buffer.len, &written);
    raw_enter_python(&call);
    if (status == S_OK) {
        result = PyLong_FromUnsignedLong(written);
    } else {
        core_engine_error(&error, methods[which], status);
        error.address = offset;
        error.count = (uint64_t)buffer.len;
        error.width = 1;
        if (which != WRITE_PHYSICAL) {
            raw_leave_python(&call, (uint64_t)buffer.len);
            error.known = core_count_bytes(&call.session->target, offset, buffer.buf,
                                           (uint64_t)buffer.len, &error.landed);
            raw_enter_python(&call);
        } else {
            error.known = status == E_UNEXPECTED; /* there is no physical memory to write to */
        }
        failure_raise(call.session, &error, true);
    }
done:
    if (buffer.obj != NULL) {
        PyBuffer_Release(&buffer);
    }
    raw_finish(&call);
    return result;
}

static const char *const read_names[] = {"offset", "buffer_size", NULL};
static const char *const write_names[] = {"offset", "buffer", NULL};

KEYWORD_METHOD(raw_read_virtual)
{
    static const call_signature signature = {"read_virtual", read_names, 2, 2};

    return read_by(READ_VIRTUAL, &signature, self, arguments, count, names);
}

KEYWORD_METHOD(raw_read_virtual_uncached)
{
    static const call_signature signature = {"read_virtual_uncached", read_names, 2, 2};

    return read_by(READ_UNCACHED, &signature, self, arguments, count, names);
}

KEYWORD_METHOD(raw_read_physical)
{
    static const call_signature signature = {"read_physical", read_names, 2, 2};

    return read_by(READ_PHYSICAL, &signature, self, arguments, count, names);
}

KEYWORD_METHOD(raw_write_virtual)
{
    static const call_signature signature = {"write_virtual", write_names, 2, 2};

    return write_by(WRITE_VIRTUAL, &signature, self, arguments, count, names);
}

KEYWORD_METHOD(raw_write_virtual_uncached)
{
    static const call_signature signature = {"write_virtual_uncached", write_names, 2, 2};

    return write_by(WRITE_UNCACHED, &signature, self, arguments, count, names);
}

KEYWORD_METHOD(raw_write_physical)
{
    static const call_signature signature = {"write_physical", write_names, 2, 2};

    return write_by(WRITE_PHYSICAL, &signature, self, arguments, count, names);
}

KEYWORD_METHOD(raw_fill_virtual)
{
    static const char *const parameters[] = {"start", "size", "pattern", NULL};
    static const call_signature signature = {"fill_virtual", parameters, 3, 3};
    raw_call call;
    PyObject *result = NULL;
    Py_buffer pattern = {0};
    core_error error = {0};
    uint64_t start = 0;
    uint32_t size = 0;
    ULONG filled = 0;
    HRESULT status;

    if (!raw_begin(&call, self, &signature, arguments, count, names, true) ||
        !arguments_unsigned(call.values[0], "start", &start) ||
        !arguments_ulong(call.values[1], "size", &size)) {
        goto done;
    }
    if (PyObject_GetBuffer(call.values[2], &pattern, PyBUF_SIMPLE) < 0) {
        arguments_no_bytes(call.values[2], "pattern");
        goto done;
    }
    if ((uint64_t)pattern.len > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "pattern must have at most 2**32 - 1 bytes");
        goto done;
    }
    raw_leave_python(&call, size);
    status = call.spaces->lpVtbl->FillVirtual(call.spaces, start, size, pattern.buf,
                                              (ULONG)pattern.len, &filled);
    raw_enter_python(&call);
    if (status == S_OK) {
        result = PyLong_FromUnsignedLong(filled);
    } else {
        core_engine_error(&error, "FillVirtual", status);
        error.address = start;
        error.count = size;
        error.width = 1;
        raw_leave_python(&call, size);
        error.known =
            core_count_filled(&call.session->target, start, pattern.buf, (uint64_t)pattern.len,
                              pattern.len > 0 ? size : 0, &error.landed);
        raw_enter_python(&call);
        failure_raise(call.session, &error, true);
    }
done:
    if (pattern.obj != NULL) {
        PyBuffer_Release(&pattern);
    }
    raw_finish(&call);
    return result;
}

KEYWORD_METHOD(raw_search_virtual)
{
    static const char *const parameters[] = {"offset", "length", "pattern", "pattern_granularity",
                                             NULL};
    static const call_signature signature = {"search_virtual", parameters, 3, 4};
    raw_call call;
    PyObject *result = NULL;
    Py_buffer pattern = {0};
    uint64_t offset = 0, length = 0;
    ULONG64 match = 0;
    uint32_t granularity = 1;
    HRESULT status;

    if (!raw_begin(&call, self, &signature, arguments, count, names, false) ||
        !arguments_unsigned(call.values[0], "offset", &offset) ||
        !arguments_unsigned(call.values[1], "length", &length) ||
        (call.values[3] != NULL &&
         !arguments_ulong(call.values[3], "pattern_granularity", &granularity))) {
        goto done;
    }
    if (PyObject_GetBuffer(call.values[2], &pattern, PyBUF_SIMPLE) < 0) {
        arguments_no_bytes(call.values[2], "pattern");
        goto done;
    }
    if ((uint64_t)pattern.len > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "pattern must have at most 2**32 - 1 bytes");
        goto done;
    }
    raw_leave_python(&call, length);
    status = call.spaces->lpVtbl->SearchVirtual(call.spaces, offset, length, pattern.buf,
                                                (ULONG)pattern.len, granularity, &match);
    raw_enter_python(&call);
    if (status == S_OK) {
        result = PyLong_FromUnsignedLongLong(match);
    } else if (status == HR_NOT_FOUND) { /* an answer, as S_FALSE is elsewhere */
        result = Py_None;
        Py_INCREF(result);
    } else {
        failure_raise_at(call.session, "SearchVirtual", status, offset, length, false);
    }
done:
    if (pattern.obj != NULL) {
        PyBuffer_Release(&pattern);
    }
    raw_finish(&call);
    return result;
}
