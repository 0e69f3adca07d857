/* The raw layer's calls on bytes: read, write, fill and search.
 *
 * Every method is one engine call. It returns the out-parameters; any HRESULT but S_OK raises. The
 * engine decides which arguments it accepts: a range that wraps is passed on.
 */
#include "data_spaces_bytes.h"

#include "../core/read_back.h"
#include "failures.h"
#include "raw_call.h"

enum { VIRTUAL, UNCACHED, PHYSICAL };

/* The signature that ReadVirtual, WriteVirtual and similar methods share. */
typedef HRESULT(STDMETHODCALLTYPE *mover)(IDebugDataSpaces4 *, ULONG64, void *, ULONG, ULONG *);

static PyObject *read_from(int space, PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                           PyObject *names)
{
    static const char *const parameters[] = {"offset", "buffer_size", NULL};
    static const call_signature signatures[] = {
        [VIRTUAL] = {"read_virtual", parameters, 2, 2, false},
        [UNCACHED] = {"read_virtual_uncached", parameters, 2, 2, false},
        [PHYSICAL] = {"read_physical", parameters, 2, 2, false},
    };
    static const char *const methods[] = {"ReadVirtual", "ReadVirtualUncached", "ReadPhysical"};
    method_call call;
    PyObject *bytes = NULL, *result = NULL;
    uint64_t offset = 0;
    uint32_t size = 0;
    ULONG read = 0;
    HRESULT status;
    mover move;

    if (!raw_begin(&call, self, &signatures[space], arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &offset) ||
        !arguments_ulong_size(call.values[1], "buffer_size", &size)) {
        goto done;
    }
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes == NULL) {
        goto done;
    }
    move = space == VIRTUAL    ? raw_spaces(&call)->lpVtbl->ReadVirtual
           : space == UNCACHED ? raw_spaces(&call)->lpVtbl->ReadVirtualUncached
                               : raw_spaces(&call)->lpVtbl->ReadPhysical;
    method_leave_python(&call, size);
    status = move(raw_spaces(&call), offset, PyBytes_AsString(bytes), size, &read);
    method_enter_python(&call);
    if (status == S_OK) {
        result = PyBytes_FromStringAndSize(PyBytes_AsString(bytes),
                                           (Py_ssize_t)(read < size ? read : size));
    } else {
        failure_raise_at(call.session, methods[space], status, offset, size, false);
    }
done:
    Py_XDECREF(bytes);
    return method_end(&call, result);
}

/* Takes bytes whose number the engine takes as a ULONG. */
static bool take_ulong_bytes(module_state *state, PyObject *object, const char *what,
                             Py_buffer *buffer)
{
    bool good = arguments_bytes(state, object, what, buffer);

    if (good && (uint64_t)buffer->len > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError,
                     "%s: its size is a ULONG in the engine's call: at most 2**32 - 1 bytes", what);
        good = false;
    }
    return good;
}

/* Returns whether the caller's bytes can be read, if that is in question. False: *error says that
 * they can't be read. */
static bool readable(const method_call *call, const Py_buffer *bytes, bool may_be_gone,
                     const char *what, core_error *error)
{
    pointer_view view = {bytes->buf, 1, (uint64_t)bytes->len};

    return !may_be_gone || core_readable(&call->session->target, &view, 1, what, error);
}

static PyObject *write_to(int space, PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                          PyObject *names)
{
    static const char *const parameters[] = {"offset", "buffer", NULL};
    static const call_signature signatures[] = {
        [VIRTUAL] = {"write_virtual", parameters, 2, 2, true},
        [UNCACHED] = {"write_virtual_uncached", parameters, 2, 2, true},
        [PHYSICAL] = {"write_physical", parameters, 2, 2, true},
    };
    static const char *const methods[] = {"WriteVirtual", "WriteVirtualUncached", "WritePhysical"};
    method_call call;
    PyObject *result = NULL;
    Py_buffer buffer = {0};
    core_error error = {.method = methods[space], .width = 1};
    ULONG written = 0;
    bool may_be_gone;
    mover move;

    if (!raw_begin(&call, self, &signatures[space], arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &error.address) ||
        !take_ulong_bytes(call.session->state, call.values[1], "buffer", &buffer)) {
        goto done;
    }
    error.count = (uint64_t)buffer.len;
    move = space == VIRTUAL    ? raw_spaces(&call)->lpVtbl->WriteVirtual
           : space == UNCACHED ? raw_spaces(&call)->lpVtbl->WriteVirtualUncached
                               : raw_spaces(&call)->lpVtbl->WritePhysical;
    may_be_gone =
        !session_kernel_reads(call.session) && arguments_may_be_gone(call.session->state, &buffer);
    method_leave_python(&call, error.count);
    if (readable(&call, &buffer, may_be_gone, "buffer", &error)) {
        error.hresult =
            move(raw_spaces(&call), error.address, buffer.buf, (ULONG)error.count, &written);
    }
    if (error.hresult != S_OK) {
        error.status = CORE_ENGINE;
        /* For physical memory it is known only if there is none. */
        error.known = space == PHYSICAL ? error.hresult == E_UNEXPECTED
                                        : core_count_bytes(&call.session->target, error.address,
                                                           buffer.buf, error.count, &error.landed);
    }
    method_enter_python(&call);
    if (error.status == CORE_OK) {
        result = PyLong_FromUnsignedLong(written);
    } else {
        failure_raise(call.session, &error, true);
    }
done:
    PyBuffer_Release(&buffer);
    return method_end(&call, result);
}

KEYWORD_METHOD(raw_read_virtual)
{
    return read_from(VIRTUAL, self, arguments, count, names);
}

KEYWORD_METHOD(raw_read_virtual_uncached)
{
    return read_from(UNCACHED, self, arguments, count, names);
}

KEYWORD_METHOD(raw_read_physical)
{
    return read_from(PHYSICAL, self, arguments, count, names);
}

KEYWORD_METHOD(raw_write_virtual)
{
    return write_to(VIRTUAL, self, arguments, count, names);
}

KEYWORD_METHOD(raw_write_virtual_uncached)
{
    return write_to(UNCACHED, self, arguments, count, names);
}

KEYWORD_METHOD(raw_write_physical)
{
    return write_to(PHYSICAL, self, arguments, count, names);
}

KEYWORD_METHOD(raw_fill_virtual)
{
    static const char *const parameters[] = {"start", "size", "pattern", NULL};
    static const call_signature signature = {"fill_virtual", parameters, 3, 3, true};
    method_call call;
    PyObject *result = NULL;
    Py_buffer pattern = {0};
    core_error error = {.method = "FillVirtual", .width = 1};
    uint32_t size = 0;
    ULONG filled = 0;
    bool may_be_gone;

    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "start", &error.address) ||
        !arguments_ulong(call.values[1], "size", &size) ||
        !take_ulong_bytes(call.session->state, call.values[2], "pattern", &pattern)) {
        goto done;
    }
    error.count = size;
    may_be_gone = arguments_may_be_gone(call.session->state, &pattern);
    method_leave_python(&call, size);
    if (readable(&call, &pattern, may_be_gone, "pattern", &error)) {
        error.hresult = raw_spaces(&call)->lpVtbl->FillVirtual(
            raw_spaces(&call), error.address, size, pattern.buf, (ULONG)pattern.len, &filled);
    }
    if (error.hresult != S_OK) {
        error.status = CORE_ENGINE;
        error.known =
            core_count_filled(&call.session->target, error.address, pattern.buf,
                              (uint64_t)pattern.len, pattern.len > 0 ? size : 0, &error.landed);
    }
    method_enter_python(&call);
    if (error.status == CORE_OK) {
        result = PyLong_FromUnsignedLong(filled);
    } else {
        failure_raise(call.session, &error, true);
    }
done:
    PyBuffer_Release(&pattern);
    return method_end(&call, result);
}

KEYWORD_METHOD(raw_search_virtual)
{
    static const char *const parameters[] = {"offset", "length", "pattern", "pattern_granularity",
                                             NULL};
    static const call_signature signature = {"search_virtual", parameters, 3, 4, false};
    method_call call;
    PyObject *result = NULL;
    Py_buffer pattern = {0};
    core_error error = {.width = 1};
    uint64_t offset = 0, length = 0;
    ULONG64 match = 0;
    uint32_t granularity = 1;
    HRESULT status = S_OK;
    bool may_be_gone;

    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &offset) ||
        !arguments_unsigned(call.values[1], "length", &length) ||
        !arguments_ulong(call.values[3], "pattern_granularity", &granularity) ||
        !take_ulong_bytes(call.session->state, call.values[2], "pattern", &pattern)) {
        goto done;
    }
    may_be_gone = arguments_may_be_gone(call.session->state, &pattern);
    method_leave_python(&call, length);
    if (readable(&call, &pattern, may_be_gone, "pattern", &error)) {
        status =
            raw_spaces(&call)->lpVtbl->SearchVirtual(raw_spaces(&call), offset, length, pattern.buf,
                                                     (ULONG)pattern.len, granularity, &match);
    }
    method_enter_python(&call);
    if (error.status != CORE_OK) {
        failure_raise(call.session, &error, false);
    } else if (status == S_OK) {
        result = PyLong_FromUnsignedLongLong(match);
    } else if (status == HR_NOT_FOUND) { /* an answer, like S_FALSE elsewhere */
        result = Py_NewRef(Py_None);
    } else {
        failure_raise_at(call.session, "SearchVirtual", status, offset, length, false);
    }
done:
    PyBuffer_Release(&pattern);
    return method_end(&call, result);
}
