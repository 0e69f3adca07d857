/* How sessions end: by detach(), terminate() or close(), at the interpreter's exit, or collected.
 */
#include "recording.h"
#include "session.h"

static session_object *session_of(PyObject *self)
{
    return (session_object *)self;
}

static void release_interfaces(session_object *self)
{
    if (self->target.scatter != NULL) {
        (void)self->target.scatter->lpVtbl->Release(self->target.scatter);
        self->target.scatter = NULL;
    }
    if (self->target.data_spaces != NULL) {
        (void)self->target.data_spaces->lpVtbl->Release(self->target.data_spaces);
        self->target.data_spaces = NULL;
    }
    if (self->target.control != NULL) {
        (void)self->target.control->lpVtbl->Release(self->target.control);
        self->target.control = NULL;
    }
    if (self->client != NULL) {
        (void)self->client->lpVtbl->Release(self->client);
        self->client = NULL;
    }
    self->embedded = NULL;
}

/* Ends the target or lets it go, by the engine's calls. *method names the one that failed.
 *
 * The interfaces of a genuine engine belong to the thread that opened the session: where this is
 * another one (`owner` false), which happens to sessions that were forgotten, they are left alone.
 */
static HRESULT leave_target(session_object *self, bool terminate, bool owner, const char **method)
{
    HRESULT status;

    if (self->behind != NULL) {
        status = self->behind->operations->end(self->behind, terminate, owner, method);
    } else if (terminate) {
        *method = "TerminateProcesses";
        status = self->client->lpVtbl->TerminateProcesses(self->client);
    } else {
        *method = "DetachProcesses";
        status = self->client->lpVtbl->DetachProcesses(self->client);
    }
    if (self->behind == NULL || owner || !self->genuine) {
        release_interfaces(self);
    }
    return status;
}

static PyObject *end(session_object *self, bool terminate)
{
    PyObject *result = NULL;
    PyThreadState *released = NULL;
    const char *method = NULL;
    HRESULT status = S_OK;

    if (!session_enter(self, false)) {
        goto done;
    }
    if (!recording_allows(self, terminate ? "terminate()" : "detach() or close()",
                          "what it has written could no longer be undone")) {
        session_leave(self);
        goto done;
    }
    /* Letting go waits for the engine's thread, and on another thread's Popen.wait() to happen. */
    released = PyEval_SaveThread();
    status = leave_target(self, terminate, true, &method);
    PyEval_RestoreThread(released);
    self->closed = true;
    session_leave(self);
    if (status != S_OK) {
        session_call_failed(self, method, status);
    } else {
        result = Py_None;
        Py_INCREF(result);
    }
done:
    return result;
}

/* Not for a session over somebody else's engine: its target is theirs to end or to let go. */
static PyObject *end_own(session_object *self, bool terminate)
{
    PyObject *result = NULL;

    if (!self->wrapped) {
        result = end(self, terminate);
    } else if (session_enter(self, false)) {
        PyErr_Format(PyExc_ValueError,
                     "%s() is not for a session of wrap(): whoever started its engine %s the "
                     "target; close() gives back this session's references",
                     terminate ? "terminate" : "detach", terminate ? "ends" : "lets go");
        session_leave(self);
    }
    return result;
}

PyObject *session_detach(PyObject *self, PyObject *unused)
{
    (void)unused;
    return end_own(session_of(self), false);
}

PyObject *session_terminate(PyObject *self, PyObject *unused)
{
    (void)unused;
    return end_own(session_of(self), true);
}

PyObject *session_close(PyObject *self, PyObject *unused)
{
    session_object *session = session_of(self);
    PyObject *result = NULL;

    (void)unused;
    if (session_is_forked(session)) {
        session->closed = true; /* this copy only: the parent's session goes on */
        result = Py_None;
        Py_INCREF(result);
    } else {
        result = end(session, false);
    }
    return result;
}

PyObject *session_end_at_exit(PyObject *self, PyObject *unused)
{
    session_object *session = session_of(self);
    PyThreadState *released = NULL;
    const char *method = NULL;
    PyObject *result = Py_None;

    (void)unused;
    if (!session_is_forked(session) && !session->closed && session->client != NULL &&
        atomic_i32_compare_exchange(&session->busy, 0, 1)) {
        bool owner = thread_token() == session->owner_token;

        released = PyEval_SaveThread();
        (void)leave_target(session, false, owner, &method);
        PyEval_RestoreThread(released);
        session->closed = true;
        session_leave(session);
    }
    Py_INCREF(result);
    return result;
}

void session_let_go(session_object *self)
{
    bool owner = thread_token() == self->owner_token;
    const char *method = NULL;
    PyThreadState *released = PyEval_SaveThread(); /* the tracer's thread is waited for */

    if (self->behind == NULL) {
        release_interfaces(self);
    } else {
        if (!self->closed) {
            (void)leave_target(self, false, owner, &method);
        }
        self->behind->operations->destroy(self->behind);
        self->behind = NULL;
    }
    PyEval_RestoreThread(released);
}
