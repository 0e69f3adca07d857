/* Session._read_maps: the memory map of a Linux process, for modules(); empty for other targets. */
#include "session_maps.h"

#include <stdlib.h>

#include "session.h"

#if defined(__linux__)
#include "../engines/embedded/linux/target_linux.h"
#endif

/* A target of the embedded engine: simulated memory, or a Linux process. */
static HRESULT read_map(embedded_target *embedded, char **text, size_t *length)
{
    HRESULT status = embedded->operations->accessible(embedded);

    (void)text;
    (void)length;
#if defined(__linux__)
    if (embedded->process_id != 0) {
        status = linux_read_maps(embedded, text, length);
    }
#endif
    return status;
}

PyObject *session_read_maps(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    char *text = NULL;
    size_t length = 0;
    HRESULT status = S_OK;

    (void)unused;
    if (!session_enter(session, false)) {
        goto done;
    }
    if (session->embedded != NULL) {
        released = PyEval_SaveThread();
        status = read_map(session->embedded, &text, &length);
        PyEval_RestoreThread(released);
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
