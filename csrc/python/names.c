/* Resolving the names among a call's arguments; see names.h. */
#include "names.h"

#include "arguments.h"

void names_release(call_names *names)
{
    Py_XDECREF(names->found);
    Py_XDECREF(names->resolver);
}

/* Makes the resolver. False: an exception is set. */
static bool make_resolver(call_names *names)
{
    PyObject *from_c = names->session->state->from_c;

    names->resolver = PyObject_CallMethod(from_c, "resolver", "O", (PyObject *)names->session);
    names->found =
        names->resolver == NULL ? NULL : PyObject_GetAttrString(names->resolver, "found");
    return names->found != NULL;
}

/* Returns a new reference to the int for a name; NULL: an exception is set. Runs outside the
 * session. */
static PyObject *resolve(call_names *names, PyObject *text, const char *what, Py_ssize_t index)
{
    PyObject *number = NULL;

    if (names->resolver != NULL || make_resolver(names)) {
        number = PyObject_CallMethod(names->resolver, "argument", "Osn", text, what, index);
    }
    return number;
}

static bool of_name(call_names *names, PyObject *text, const char *what, Py_ssize_t index,
                    uint64_t *value)
{
    PyObject *number = NULL;
    bool good;

    if (names->found != NULL) { /* a table can have one name a million times */
        number = Py_XNewRef(PyDict_GetItemWithError(names->found, text));
        if (number == NULL && PyErr_Occurred()) {
            return false;
        }
    }
    if (number == NULL) {
        names->entered = false;
        session_leave(names->session);
        number = resolve(names, text, what, index);
        if (number != NULL) {
            names->entered = session_enter(names->session, names->writes);
        }
    }
    good = number != NULL && names->entered;
    if (good) {
        *value = PyLong_AsUnsignedLongLong(number);
        good = *value != UINT64_MAX || !PyErr_Occurred();
    }
    Py_XDECREF(number);
    return good;
}

bool names_given_address(call_names *names, PyObject *object, const char *what, Py_ssize_t index,
                         uint64_t *value)
{
    /* The common case first: the Limited API's PyUnicode_Check() is a call. */
    return PyLong_CheckExact(object) || !PyUnicode_Check(object)
               ? arguments_element(object, what, index, value)
               : of_name(names, object, what, index, value);
}
