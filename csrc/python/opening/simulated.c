/* Opening simulated memory, and making it fail on demand. */
#include "simulated.h"

#include <stdlib.h>
#include <string.h>

#include "../../engines/embedded/simulated/target_simulated.h"
#include "../method_call.h"

/* One (base, size, protection) of the list. */
static bool region_of_tuple(PyObject *item, simulated_region *region)
{
    unsigned long long base = 0, size = 0;
    int protection = 0;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a region must be a tuple, got an object of %R",
                     (PyObject *)Py_TYPE(item));
        return false;
    }
    if (!PyArg_ParseTuple(item, "KKi", &base, &size, &protection)) {
        return false;
    }
    *region = (simulated_region){base, size, (simulated_protection)protection};
    return true;
}

PyObject *open_simulated(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *list = NULL, *result = NULL;
    unsigned int pointer_size = 8;
    int writable = 1;
    simulated_region *regions = NULL;
    embedded_target *embedded = NULL;
    Py_ssize_t count = 0;

    if (!PyArg_ParseTuple(arguments, "OO!Ip", &type, &PyList_Type, &list, &pointer_size,
                          &writable)) {
        return NULL;
    }
    count = PyList_Size(list);
    regions = calloc((size_t)count + 1, sizeof *regions);
    if (regions == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!region_of_tuple(PyList_GetItem(list, i), &regions[i])) {
            goto done;
        }
    }
    embedded = simulated_create(regions, (size_t)count, pointer_size);
    if (embedded == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    result = (PyObject *)session_create_embedded(state_of_module(module), (PyTypeObject *)type,
                                                 embedded, "simulated", writable != 0);
done:
    free(regions);
    return result;
}

KEYWORD_METHOD(session_inject_fault)
{
    enum { KIND, FIRST, SECOND };
    static const char *const parameters[] = {"kind", "first", "second", NULL};
    static const call_signature signature = {"_inject_fault", parameters, 1, 3, false};
    method_call call;
    embedded_target *embedded;
    const char *kind;
    PyObject *result = NULL;
    uint64_t first = 0, second = 0;
    bool good = true;

    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[FIRST], "first", &first) ||
        !arguments_unsigned(call.values[SECOND], "second", &second)) {
        goto done;
    }
    embedded = call.session->embedded;
    if (embedded == NULL || !is_simulated(embedded)) {
        PyErr_SetString(PyExc_ValueError, "faults can be injected into simulated targets alone");
        goto done;
    }
    kind = PyUnicode_AsUTF8AndSize(call.values[KIND], NULL);
    if (kind == NULL) {
        goto done;
    }
    if (strcmp(kind, "fail_write") == 0) {
        good = simulated_fail_at(embedded, first, second, true, false);
    } else if (strcmp(kind, "fail_read") == 0) {
        good = simulated_fail_at(embedded, first, second, false, true);
    } else if (strcmp(kind, "lose_write") == 0) {
        good = simulated_lose_at(embedded, first);
    } else if (strcmp(kind, "short") == 0) {
        simulated_limit_transfers(embedded, first);
    } else if (strcmp(kind, "run") == 0) {
        simulated_run(embedded, true);
    } else if (strcmp(kind, "stop") == 0) {
        simulated_run(embedded, false);
    } else if (strcmp(kind, "vanish") == 0) {
        simulated_vanish(embedded);
    } else if (strcmp(kind, "clear") == 0) {
        simulated_clear_faults(embedded);
    } else {
        PyErr_Format(PyExc_ValueError, "there is no fault %R", call.values[KIND]);
        goto done;
    }
    result = good ? Py_NewRef(Py_None) : PyErr_NoMemory();
done:
    return method_end(&call, result);
}
