/* Session.write_pointers and Session.read_pointers: arguments, buffers, the core's call. */
#include "session_pointers.h"

#include "../core/bulk.h"
#include "method_call.h"
#include "pointer_output.h"
#include "write_request.h"

/* The engine's calls for pointers and for bytes, as `via` names them. */
typedef struct via_names {
    const char *pointers, *bytes;
    bool automatic; /* no `via` means "auto"; otherwise it means `pointers` */
} via_names;

/* Sets *wanted if the call for bytes moves the pointers. `via` is NULL if it was not given. False:
 * an exception is set. */
static bool wants_bulk(const session_object *session, PyObject *via, const via_names *names,
                       uint64_t count, bool *wanted)
{
    bool automatic = names->automatic;

    if (via != NULL && !PyUnicode_Check(via)) {
        PyErr_Format(PyExc_TypeError, "via must be a str, got an object of %R",
                     (PyObject *)Py_TYPE(via));
        return false;
    }
    if (via != NULL) {
        *wanted = PyUnicode_CompareWithASCIIString(via, names->bytes) == 0;
        if (*wanted || PyUnicode_CompareWithASCIIString(via, names->pointers) == 0) {
            return true;
        }
        automatic = PyUnicode_CompareWithASCIIString(via, "auto") == 0;
        if (!automatic) {
            PyErr_Format(PyExc_ValueError, "via must be '%s', '%s' or 'auto', got %R",
                         names->pointers, names->bytes, via);
            return false;
        }
    }
    if (automatic && count >= BULK_THRESHOLD_POINTERS) {
        /* The embedded engine narrows written pointers in smaller pieces than the bulk way does. */
        bool narrows =
            !names->automatic && !session->dbgeng && session->embedded->pointer_size == 4;

        *wanted = session->dbgeng || narrows;
    }
    return true;
}

KEYWORD_METHOD(session_write_pointers)
{
    enum { ADDRESS, POINTERS, VIA, VERIFY, EXPECT, TRUNCATE, PROGRESS };
    static const char *const parameters[] = {"address", "pointers", "via",      "verify",
                                             "expect",  "truncate", "progress", NULL};
    static const call_signature signature = {"write_pointers", parameters, 2, 2, true};
    static const via_names via = {"WritePointersVirtual", "WriteVirtual", false};
    method_call call;
    PyObject *progress = NULL, *result = NULL;
    pointer_input pointers, expected;
    write_request request;

    pointer_input_init(&pointers);
    pointer_input_init(&expected);
    write_request_init(&request, CORE_POINTERS);
    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names) ||
        !names_address(&call.names, call.values[ADDRESS], "address", -1, &request.core.address) ||
        !arguments_flag(call.values[VERIFY], &request.verify) ||
        !arguments_flag(call.values[TRUNCATE], &request.core.truncate) ||
        !arguments_callable(call.values[PROGRESS], "progress", &progress) ||
        !pointer_input_take(&pointers, call.session->state, &call.names, call.values[POINTERS],
                            "pointers") ||
        !wants_bulk(call.session, call.values[VIA], &via, pointers.view.count,
                    &request.core.bulk)) {
        goto done;
    }
    request.core.values = pointers.view;
    if (write_request_expect(&request, &expected, &call.names, call.values[EXPECT])) {
        write_request_look(&request, call.session, &pointers.buffer, NULL);
        result = write_request_run(call.session, &request, progress);
    }
done:
    pointer_input_release(&expected);
    pointer_input_release(&pointers);
    return method_end(&call, result);
}

KEYWORD_METHOD(session_read_pointers)
{
    enum { ADDRESS, COUNT, INTO, VIA, PROGRESS };
    static const char *const parameters[] = {"address", "count", "into", "via", "progress", NULL};
    static const call_signature signature = {"read_pointers", parameters, 1, 2, false};
    static const via_names via = {"ReadPointersVirtual", "ReadVirtual", true};
    method_call call;
    PyObject *progress = NULL, *into = NULL, *number = NULL, *result = NULL;
    pointer_output output;
    core_request request = {.kind = CORE_POINTERS};
    uint64_t wanted = 0;

    pointer_output_init(&output);
    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names)) {
        goto done;
    }
    into = call.values[INTO] == Py_None ? NULL : call.values[INTO];
    number = call.values[COUNT] == Py_None ? NULL : call.values[COUNT];
    if (into == NULL && number == NULL) {
        PyErr_SetString(PyExc_TypeError, "read_pointers() needs count or into");
        goto done;
    }
    if (!names_address(&call.names, call.values[ADDRESS], "address", -1, &request.address) ||
        !arguments_callable(call.values[PROGRESS], "progress", &progress) ||
        !arguments_size(number, "count", &wanted) ||
        !pointer_output_take(&output, call.session->state, into, wanted)) {
        goto done;
    }
    wanted = number == NULL ? output.memory.view.count : wanted;
    if (!pointer_output_fits(&output, wanted, "count is") ||
        !wants_bulk(call.session, call.values[VIA], &via, wanted, &request.bulk)) {
        goto done;
    }
    request.values.count = wanted;
    request.to = output.memory.buffer.buf;
    request.fresh = into == NULL;
    if (read_request_run(call.session, &request, progress)) {
        result = pointer_output_result(&output, wanted);
    }
done:
    pointer_output_release(&output);
    return method_end(&call, result);
}
