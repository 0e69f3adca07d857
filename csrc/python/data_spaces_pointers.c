/* The raw layer's calls on pointers: exactly one engine call each, on the caller's memory. */
#include "data_spaces_pointers.h"

#include "../core/read_back.h"
#include "failures.h"
#include "pointer_output.h"
#include "raw_call.h"

KEYWORD_METHOD(raw_write_pointers_virtual)
{
    static const char *const parameters[] = {"offset", "ptrs", NULL};
    static const call_signature signature = {"write_pointers_virtual", parameters, 2, 2, true};
    method_call call;
    PyObject *result = NULL;
    pointer_input input;
    const pointer_view *view = &input.view;
    core_error error = {0};
    HRESULT status = S_OK;
    bool may_be_gone;

    pointer_input_init(&input);
    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &error.address) ||
        !pointer_input_take(&input, call.session->state, NULL, call.values[1], "ptrs")) {
        goto done;
    }
    if (view->count > CORE_MOST_COUNT) {
        PyErr_SetString(PyExc_OverflowError,
                        "Count is a ULONG in the engine's call: at most 2**32 - 1 pointers; "
                        "session.write_pointers() splits longer arrays");
        goto done;
    }
    if (view->count > 0 && !pointer_view_is_direct(view)) {
        PyErr_SetString(PyExc_ValueError,
                        "ptrs must be contiguous and aligned to 8 bytes: it is passed to the "
                        "engine as it lies; session.write_pointers() takes strided ones");
        goto done;
    }
    error.count = view->count;
    may_be_gone =
        (!session_kernel_reads(call.session) || call.session->embedded->pointer_size != 8) &&
        arguments_may_be_gone(call.session->state, &input.buffer);
    method_leave_python(&call, view->count * 8);
    if (!may_be_gone || core_readable(&call.session->target, view, 8, "ptrs", &error)) {
        status = raw_spaces(&call)->lpVtbl->WritePointersVirtual(raw_spaces(&call),
                                                                 (ULONG)view->count, error.address,
                                                                 (ULONG64 *)(uintptr_t)view->first);
    }
    if (status != S_OK) {
        error.width = core_pointer_size(&call.session->target, &error);
        core_engine_error(&error, "WritePointersVirtual", status);
        error.known = error.width != 0 && core_count_pointers(&call.session->target, error.address,
                                                              view, error.width, &error.landed);
    }
    method_enter_python(&call);
    if (error.status == CORE_OK) {
        result = Py_NewRef(Py_None);
    } else {
        failure_raise(call.session, &error, true);
    }
done:
    pointer_input_release(&input);
    return method_end(&call, result);
}

KEYWORD_METHOD(raw_read_pointers_virtual)
{
    static const char *const parameters[] = {"offset", "count", NULL};
    static const call_signature signature = {"read_pointers_virtual", parameters, 2, 2, false};
    method_call call;
    PyObject *result = NULL;
    pointer_output output;
    core_error error = {0};
    uint32_t wanted = 0;
    HRESULT status;

    pointer_output_init(&output);
    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &error.address) ||
        !arguments_ulong_size(call.values[1], "count", &wanted) ||
        !pointer_output_take(&output, call.session->state, NULL, wanted)) {
        goto done;
    }
    error.count = wanted;
    method_leave_python(&call, (uint64_t)wanted * 8);
    status = raw_spaces(&call)->lpVtbl->ReadPointersVirtual(
        raw_spaces(&call), wanted, error.address, output.memory.buffer.buf);
    if (status != S_OK) {
        error.width = core_pointer_size(&call.session->target, &error);
        core_engine_error(&error, "ReadPointersVirtual", status);
        if (error.width != 0) {
            error.known = core_count_readable(&call.session->target, error.address,
                                              (uint64_t)wanted * error.width, &error.landed);
            error.landed /= error.width;
        }
    }
    method_enter_python(&call);
    if (status == S_OK) {
        result = pointer_output_result(&output, wanted);
    } else {
        failure_raise(call.session, &error, false);
    }
done:
    pointer_output_release(&output);
    return method_end(&call, result);
}

KEYWORD_METHOD(raw_is_pointer_64bit)
{
    static const char *const parameters[] = {NULL};
    static const call_signature signature = {"is_pointer_64bit", parameters, 0, 0, false};
    method_call call;
    PyObject *result = NULL;
    core_error error = {0};
    uint32_t width = 0;

    if (raw_begin(&call, self, &signature, arguments, count, names)) {
        method_leave_python(&call, 0);
        width = core_pointer_size(&call.session->target, &error);
        method_enter_python(&call);
        if (width != 0) {
            result = PyBool_FromLong(width == 8);
        } else {
            failure_raise(call.session, &error, false);
        }
    }
    return method_end(&call, result);
}
