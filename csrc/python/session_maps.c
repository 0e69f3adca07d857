/* Session._read_maps: the memory map of a Linux process, for modules(); empty for other targets. */
#include "opening/opening.h"

#include <stdlib.h>

#if defined(__linux__)

#include "../engines/embedded/linux/target_linux.h"

static HRESULT read_map(session_object *session, char **text, size_t *length)
{
    return linux_read_maps(session->memory, text, length);
}

#else

/* Processes here are not the embedded engine's. */
static HRESULT read_map(session_object *session, char **text, size_t *length)
{
    (void)session;
    (void)text;
    (void)length;
    return E_NOTIMPL;
}

#endif

PyObject *session_read_maps(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    PyObject *result = NULL;
    char *text = NULL;
    size_t length = 0;
    HRESULT status = S_OK;

    (void)unused;
    if (!session_enter(session, false)) {
        goto done;
    }
    if (session->process_id == 0) {
        status = session->memory->operations->accessible(session->memory);
    } else {
        status = read_map(session, &text, &length);
    }
    if (status == S_OK) {
        result = PyBytes_FromStringAndSize(text == NULL ? "" : text, (Py_ssize_t)length);
    } else if (status == E_OUTOFMEMORY) {
        (void)PyErr_NoMemory();
    } else {
        PyErr_SetString(session->state->no_target, "there is no accessible target: it has gone, "
                                                   "or runs");
    }
    free(text);
    session_leave(session);
done:
    return result;
}
