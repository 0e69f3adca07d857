/* Opening simulated memory, and making it fail on demand. */
#include "simulated.h"

#include <stdlib.h>
#include <string.h>

#include "../../engines/embedded/client.h"
#include "../../engines/embedded/simulated/target_simulated.h"
#include "../session.h"

/* One (base, size, protection) of the list. */
static bool region_of_tuple(PyObject *item, simulated_region *region)
{
    unsigned long long base = 0, size = 0;
    int protection = 0;
    bool good = false;

    if (item != NULL && !PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a region must be a tuple, got an object of %R",
                     (PyObject *)Py_TYPE(item));
    } else if (item != NULL) {
        good = PyArg_ParseTuple(item, "KKi", &base, &size, &protection) != 0;
    }

    region->base = base;
    region->size = size;
    region->protection = (simulated_protection)protection;
    return good;
}

PyObject *open_simulated(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *list = NULL, *result = NULL;
    unsigned int pointer_size = 8;
    int writable = 1;
    simulated_region *regions = NULL;
    embedded_target *embedded = NULL;
    IDebugClient5 *client = NULL;
    Py_ssize_t count = 0;

    if (!PyArg_ParseTuple(arguments, "OOIp", &type, &list, &pointer_size, &writable)) {
        goto done;
    }
    count = PyList_Size(list);
    if (count < 0) {
        goto done;
    }
    if ((size_t)count > SIZE_MAX / sizeof *regions ||
        (regions = malloc(count > 0 ? (size_t)count * sizeof *regions : 1)) == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!region_of_tuple(PyList_GetItem(list, i), &regions[i])) {
            goto done;
        }
    }
    embedded = simulated_create(regions, (size_t)count, pointer_size);
    client = embedded == NULL ? NULL : embedded_client_create(embedded);
    if (client == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    result = (PyObject *)session_create(state_of_module(module), (PyTypeObject *)type, client,
                                        embedded, "simulated", writable != 0);
    embedded = NULL; /* the engine's, and with it gone where that failed */
done:
    if (embedded != NULL) {
        embedded->operations->destroy(embedded);
    }
    free(regions);
    return result;
}

KEYWORD_METHOD(session_inject_fault)
{
    enum { KIND, FIRST, SECOND, PARAMETERS };
    static const char *const parameters[] = {"kind", "first", "second", NULL};
    static const call_signature fault_signature = {"_inject_fault", parameters, 1, 3};
    session_object *session = (session_object *)self;
    PyObject *values[PARAMETERS];
    PyObject *result = NULL;
    uint64_t first = 0, second = 0;
    bool entered = false, good = true;

    if (!arguments_parse(&fault_signature, arguments, count, names, values) ||
        !session_enter(session, false)) {
        goto done;
    }
    entered = true;
    if ((values[FIRST] != NULL && !arguments_unsigned(values[FIRST], "first", &first)) ||
        (values[SECOND] != NULL && !arguments_unsigned(values[SECOND], "second", &second))) {
        goto done;
    }
    if (session->embedded == NULL || !is_simulated(session->embedded)) {
        PyErr_SetString(PyExc_ValueError, "faults can be injected into simulated targets alone");
        goto done;
    }
    if (!PyUnicode_Check(values[KIND])) {
        PyErr_SetString(PyExc_TypeError, "kind must be a str");
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "fail_write") == 0) {
        good = simulated_fail_at(session->embedded, first, second, true, false);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "fail_read") == 0) {
        good = simulated_fail_at(session->embedded, first, second, false, true);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "lose_write") == 0) {
        good = simulated_lose_at(session->embedded, first);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "short") == 0) {
        simulated_limit_transfers(session->embedded, first);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "run") == 0) {
        simulated_run(session->embedded, true);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "stop") == 0) {
        simulated_run(session->embedded, false);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "vanish") == 0) {
        simulated_vanish(session->embedded);
    } else if (PyUnicode_CompareWithASCIIString(values[KIND], "clear") == 0) {
        simulated_clear_faults(session->embedded);
    } else {
        PyErr_Format(PyExc_ValueError, "there is no fault %R", values[KIND]);
    }
    if (!good) {
        (void)PyErr_NoMemory();
    }
    if (!PyErr_Occurred()) {
        result = Py_None;
        Py_INCREF(result);
    }
done:
    if (entered) {
        session_leave(session);
    }
    return result;
}
