/* Session.write_scattered and Session.read_scattered: pointers at separate addresses. */
#include "session_scattered.h"

#include "method_call.h"
#include "pointer_output.h"
#include "write_request.h"

KEYWORD_METHOD(session_write_scattered)
{
    enum { ADDRESSES, POINTERS, VERIFY, EXPECT, TRUNCATE, SPANS, PROGRESS };
    static const char *const parameters[] = {"addresses", "pointers", "verify",   "expect",
                                             "truncate",  "spans",    "progress", NULL};
    static const call_signature signature = {"write_scattered", parameters, 2, 2, true};
    method_call call;
    PyObject *progress = NULL, *result = NULL;
    pointer_input addresses, pointers, expected;
    write_request request;

    pointer_input_init(&addresses);
    pointer_input_init(&pointers);
    pointer_input_init(&expected);
    write_request_init(&request, CORE_SCATTERED);
    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names) ||
        !arguments_flag(call.values[VERIFY], &request.verify) ||
        !arguments_flag(call.values[TRUNCATE], &request.core.truncate) ||
        !arguments_flag(call.values[SPANS], &request.core.spans) ||
        !arguments_callable(call.values[PROGRESS], "progress", &progress) ||
        !pointer_input_take(&addresses, call.session->state, &call.names, call.values[ADDRESSES],
                            "addresses") ||
        !pointer_input_take(&pointers, call.session->state, &call.names, call.values[POINTERS],
                            "pointers")) {
        goto done;
    }
    if (addresses.view.count != pointers.view.count) {
        PyErr_Format(PyExc_ValueError,
                     "addresses and pointers must have one length, got %llu addresses and %llu "
                     "pointers; nothing was written",
                     (unsigned long long)addresses.view.count,
                     (unsigned long long)pointers.view.count);
        goto done;
    }
    if (call.session->record != NULL && !request.core.spans) {
        call.session->spans_refused = true;
    }
    request.core.addresses = addresses.view;
    request.core.values = pointers.view;
    if (write_request_expect(&request, &expected, &call.names, call.values[EXPECT])) {
        write_request_look(&request, call.session, &pointers.buffer, &addresses.buffer);
        result = write_request_run(call.session, &request, progress);
    }
done:
    pointer_input_release(&expected);
    pointer_input_release(&pointers);
    pointer_input_release(&addresses);
    return method_end(&call, result);
}

KEYWORD_METHOD(session_read_scattered)
{
    enum { ADDRESSES, INTO, PROGRESS };
    static const char *const parameters[] = {"addresses", "into", "progress", NULL};
    static const call_signature signature = {"read_scattered", parameters, 1, 1, false};
    method_call call;
    PyObject *progress = NULL, *into = NULL, *result = NULL;
    pointer_input addresses;
    pointer_output output;
    core_request request = {.kind = CORE_SCATTERED};

    pointer_input_init(&addresses);
    pointer_output_init(&output);
    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names)) {
        goto done;
    }
    into = call.values[INTO] == Py_None ? NULL : call.values[INTO];
    if (!arguments_callable(call.values[PROGRESS], "progress", &progress) ||
        !pointer_input_take(&addresses, call.session->state, &call.names, call.values[ADDRESSES],
                            "addresses") ||
        !pointer_output_take(&output, call.session->state, into, addresses.view.count) ||
        !pointer_output_fits(&output, addresses.view.count, "addresses are")) {
        goto done;
    }
    request.addresses = addresses.view;
    request.values.count = addresses.view.count;
    request.foreign = arguments_may_be_gone(call.session->state, &addresses.buffer);
    request.to = output.memory.buffer.buf;
    if (read_request_run(call.session, &request, progress)) {
        result = pointer_output_result(&output, addresses.view.count);
    }
done:
    pointer_output_release(&output);
    pointer_input_release(&addresses);
    return method_end(&call, result);
}
