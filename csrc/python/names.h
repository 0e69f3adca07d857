/* Addresses by name among the arguments of a session's method. Python resolves them. */
#ifndef PYDBGWRITE_PYTHON_NAMES_H
#define PYDBGWRITE_PYTHON_NAMES_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

#include "arguments.h"
#include "session.h"

/* The names of one call, which share one resolver. */
typedef struct call_names {
    session_object *session;
    bool writes;
    bool entered;       /* false: the session is not, or could not be entered again after a name */
    PyObject *resolver; /* a Resolver of pydbgwrite._symbols; NULL before the first name */
    PyObject *found;    /* its dict of results; NULL before the first name */
} call_names;

/* Releases the resolver and its results, unless both are NULL. */
void names_release(call_names *names);

/* Converts an int or a str, the address that `what` names in errors; with an index that is not
 * below 0, an element of it. NULL leaves the result unchanged. The session is left while Python
 * resolves a name, since that reads the target. False: an exception is set, and the session may be
 * left. */
bool names_given_address(call_names *names, PyObject *object, const char *what, Py_ssize_t index,
                         uint64_t *value);
static inline bool names_address(call_names *names, PyObject *object, const char *what,
                                 Py_ssize_t index, uint64_t *value)
{
    return object == NULL || arguments_plain_int(object, value) ||
           names_given_address(names, object, what, index, value);
}

#endif
