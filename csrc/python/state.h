/* The module's state: its types, and the Python objects that C code calls. */
#ifndef PYDBGWRITE_PYTHON_STATE_H
#define PYDBGWRITE_PYTHON_STATE_H

#include "python.h"

typedef struct module_state {
    PyObject *session_type;
    PyObject *data_spaces_type;
    PyObject *memory_information_type;
    PyObject *file_descriptor_type;
    PyObject *os_close; /* os.close() */
    PyObject *module_symbols_type;
    PyObject *from_c;       /* the module pydbgwrite._from_c, which C calls */
    PyObject *wrong_thread; /* pydbgwrite.errors.WrongThreadError, and so on */
    PyObject *session_closed;
    PyObject *session_busy;
    PyObject *read_only;
    PyObject *no_target;
    PyObject *no_sequences; /* types that are refused as arrays; NULL before the first check */
    PyObject *heap_buffers; /* types whose memory can't be gone; NULL before the first check */
    PyObject *plain_buffer; /* the type of the last buffer that was taken, which is not a masked
                               array's; NULL before the first */
    PyObject *zero_word;    /* array('Q', [0]), from which arrays to read into are made; NULL before
                               the first */
} module_state;

static inline module_state *state_of_module(PyObject *module)
{
    return (module_state *)PyModule_GetState(module);
}

#endif
