/* The module's state: its types, and the Python objects that C code calls. */
#ifndef PYDBGWRITE_PYTHON_STATE_H
#define PYDBGWRITE_PYTHON_STATE_H

#include "python.h"

#include <stdbool.h>

#include "../base/atomics.h"

typedef struct module_state {
    PyObject *session_type;
    PyObject *data_spaces_type;
    PyObject *memory_information_type;
    PyObject *file_descriptor_type;
    PyObject *record_log_type;
    PyObject *os_close; /* os.close() */
    PyObject *module_symbols_type;
    PyObject *ranges_type;
    PyObject *from_c;       /* the module pydbgwrite._from_c, which C calls */
    PyObject *wrong_thread; /* pydbgwrite.errors.WrongThreadError, and so on */
    PyObject *session_closed;
    PyObject *session_busy;
    PyObject *read_only;
    PyObject *no_target;
    /* Made or set by the first call that needs it; NULL before. Calls of several threads may run
     * at the same time. */
    atomic_pointer no_sequences; /* types that are refused as arrays */
    atomic_pointer heap_buffers; /* types whose memory can't be gone */
    atomic_pointer plain_buffer; /* the type of the last buffer that was taken, which is not a
                                    masked array's */
    atomic_pointer zero_word;    /* array('Q', [0]), from which arrays to read into are made */
} module_state;

/* Returns what is kept there (borrowed, and for comparison alone if it is ever replaced). */
static inline PyObject *state_kept(const atomic_pointer *place)
{
    return (PyObject *)atomic_pointer_load(place);
}

/* Keeps an object from now on, and takes over the reference; the first one stays. Returns the one
 * that stays (borrowed); NULL if there is none. */
static inline PyObject *state_keep_first(atomic_pointer *place, PyObject *made)
{
    if (made != NULL && !atomic_pointer_compare_exchange(place, NULL, made)) {
        Py_DECREF(made);
    }
    return state_kept(place);
}

/* Keeps an object instead of another, and takes over the reference. */
static inline void state_replace(atomic_pointer *place, PyObject *object)
{
    PyObject *before = (PyObject *)atomic_pointer_exchange(place, object);

    Py_XDECREF(before);
}

static inline module_state *state_of_module(PyObject *module)
{
    return (module_state *)PyModule_GetState(module);
}

/* Makes a type and adds it to the module. False: an exception is set. */
static inline bool state_add_type(PyObject *module, PyType_Spec *specification, PyObject **type)
{
    *type = PyType_FromModuleAndSpec(module, specification, NULL);
    return *type != NULL && PyModule_AddType(module, (PyTypeObject *)*type) == 0;
}

#endif
