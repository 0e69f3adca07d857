/* The kernel's information on a Linux process: its memory map, for modules(), which is empty for
 * other targets, and its folder in /proc. */
#include "session_maps.h"

#include <errno.h>
#include <stdlib.h>

#include "session.h"

#if defined(__linux__)
#include "../engines/embedded/linux/held.h"
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

static void no_target(const session_object *session)
{
    if (session->embedded != NULL && session->embedded->process_id != 0) {
        PyErr_Format(session->state->no_target,
                     "process %lu has ended, runs another program now, or was detached; open it "
                     "again",
                     (unsigned long)session->embedded->process_id);
    } else {
        PyErr_SetString(session->state->no_target,
                        "there is no accessible target: it has ended, or is running");
    }
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
        no_target(session);
    }
    free(text);
    session_leave(session);
done:
    return result;
}

static HRESULT open_folder(embedded_target *embedded, bool of_memory, int *folder)
{
#if defined(__linux__)
    if (embedded != NULL && embedded->process_id != 0) {
        return linux_open_folder(embedded, of_memory, folder);
    }
#else
    (void)of_memory;
#endif
    (void)embedded;
    *folder = -1;
    return E_UNEXPECTED;
}

PyObject *session_open_folder(PyObject *self, PyObject *of_memory)
{
    session_object *session = (session_object *)self;
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status;
    int folder = -1, failure;

    if (!session_enter(session, false)) {
        return NULL;
    }
    released = PyEval_SaveThread();
    status = open_folder(session->embedded, of_memory == Py_True, &folder);
    failure = errno;
    PyEval_RestoreThread(released);
    session_leave(session);
    if (status == S_OK) {
        result = PyLong_FromLong(folder);
    } else if (status == HR_GEN_FAILURE) { /* such as when no descriptor is left */
        errno = failure;
        (void)PyErr_SetFromErrno(PyExc_OSError);
    } else {
        no_target(session);
    }
    return result;
}
