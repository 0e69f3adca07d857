/* How sessions end: by detach(), terminate() or close(), at the interpreter's exit, or collected.
 */
#include "session_end.h"

#include "failures.h"

static void release_interfaces(session_object *self)
{
    core_target *engine = &self->target;

    if (engine->scatter != NULL) {
        (void)engine->scatter->lpVtbl->Release(engine->scatter);
    }
    if (engine->data_spaces != NULL) {
        (void)engine->data_spaces->lpVtbl->Release(engine->data_spaces);
    }
    if (engine->control != NULL) {
        (void)engine->control->lpVtbl->Release(engine->control);
    }
    if (self->client != NULL) {
        (void)self->client->lpVtbl->Release(self->client);
    }
    engine->scatter = NULL;
    engine->data_spaces = NULL;
    engine->control = NULL;
    self->client = NULL;
    self->embedded = NULL;
}

/* Terminates or detaches the target by the engine's calls, without the GIL, since that waits for
 * the engine's thread, and for another thread's Popen.wait(). *method names the call that failed.
 *
 * The interfaces of dbgeng belong to the thread that opened the session: on another thread, which
 * happens to sessions that were forgotten, they are left alone.
 */
static HRESULT leave_target(session_object *self, bool terminate, const char **method)
{
    bool owner = session_owned(self);
    PyThreadState *released = PyEval_SaveThread();
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
    if (self->behind == NULL || owner || !self->dbgeng) {
        release_interfaces(self);
    }
    PyEval_RestoreThread(released);
    atomic_i32_store(&self->closed, 1);
    return status;
}

static PyObject *end(session_object *self, bool terminate)
{
    const char *method = NULL;
    HRESULT status = S_OK;
    bool good;

    if (!session_enter(self, false)) {
        return NULL;
    }
    good = session_not_recorded(self, terminate ? "terminate()" : "detach() or close()",
                                "its writes could no longer be undone");
    if (good) {
        status = leave_target(self, terminate, &method);
    }
    session_leave(self);
    if (status != S_OK) {
        failure_raise_call(self, method, status);
    }
    return good && status == S_OK ? Py_NewRef(Py_None) : NULL;
}

/* Not for a session over another package's engine: that package ends or detaches its target. */
static PyObject *end_own(session_object *self, bool terminate)
{
    if (!self->wrapped) {
        return end(self, terminate);
    }
    if (session_enter(self, false)) {
        PyErr_Format(PyExc_ValueError,
                     "%s() can't be used on a session of wrap(): the package that started its "
                     "engine %s the target; close() releases this session's references",
                     terminate ? "terminate" : "detach", terminate ? "ends" : "detaches");
        session_leave(self);
    }
    return NULL;
}

PyObject *session_detach(PyObject *self, PyObject *unused)
{
    (void)unused;
    return end_own((session_object *)self, false);
}

PyObject *session_terminate(PyObject *self, PyObject *unused)
{
    (void)unused;
    return end_own((session_object *)self, true);
}

PyObject *session_close(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;

    (void)unused;
    if (atomic_i32_load(&session->closed) != 0) {
        Py_RETURN_NONE;
    }
    if (!session_is_forked(session)) {
        return end(session, false);
    }
    atomic_i32_store(&session->closed, 1); /* this copy only: the parent's session stays open */
    Py_RETURN_NONE;
}

PyObject *session_end_at_exit(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    const char *method = NULL;

    (void)unused;
    if (!session_is_forked(session) && session_take(session)) {
        /* Only now: until then another thread can have ended it. */
        if (atomic_i32_load(&session->closed) == 0 && session->client != NULL) {
            (void)leave_target(session, false, &method);
        }
        session_leave(session);
    }
    Py_RETURN_NONE;
}

void session_let_go(session_object *self)
{
    const char *method = NULL;
    PyThreadState *released;

    if (self->behind != NULL && atomic_i32_load(&self->closed) == 0) {
        (void)leave_target(self, false, &method);
    }
    released = PyEval_SaveThread();
    if (self->behind != NULL) {
        self->behind->operations->destroy(self->behind);
        self->behind = NULL;
    } else {
        release_interfaces(self); /* the last reference detaches, and joins the tracer's thread */
    }
    PyEval_RestoreThread(released);
}
