/* Opening a session over an engine that another package started. */
#include "wrapped.h"

#include "../../engines/wrapped/wrapped.h"
#include "../failures.h"
#include "../session.h"

static const char *failure_name(wrap_failure failure)
{
    static const char *const names[] = {
        [WRAP_OK] = "ok",         [WRAP_UNALIGNED] = "unaligned", [WRAP_OBJECT] = "object",
        [WRAP_TABLE] = "table",   [WRAP_SLOT] = "slot",           [WRAP_UNKNOWN] = "unknown",
        [WRAP_ENGINE] = "engine",
    };

    return names[failure];
}

static void wrapping_failed(const module_state *state, const wrap_error *error, uintptr_t address)
{
    failure_set(PyObject_CallMethod(state->from_c, "wrapping_failed", "sKKIzk",
                                    failure_name(error->failure), (unsigned long long)address,
                                    (unsigned long long)error->address, error->slot,
                                    error->operation, (unsigned long)(uint32_t)error->hresult));
}

PyObject *open_wrapped(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *result = NULL;
    unsigned long long address = 0;
    int writable = 1;
    wrapped_engine opened;
    wrap_error error;
    bool good = false;
    PyThreadState *released = NULL;
    session_object *session = NULL;

    if (!PyArg_ParseTuple(arguments, "OKp", &type, &address, &writable)) {
        goto done;
    }
    /* The engine may call back into Python, on another thread. */
    released = PyEval_SaveThread();
    good = wrapped_open((uintptr_t)address, &opened, &error);
    PyEval_RestoreThread(released);
    if (!good) {
        wrapping_failed(state_of_module(module), &error, (uintptr_t)address);
        goto done;
    }
    session = session_create_wrapped(state_of_module(module), (PyTypeObject *)type, &opened,
                                     writable != 0);
    if (session != NULL) {
        result = Py_BuildValue("(NK)", (PyObject *)session, (unsigned long long)opened.code);
    }
done:
    return result;
}
