/* The engine calls of the Python half of a session: pointer size, being a server, its process. */
#include "session_engine.h"

#include "../core/request.h"
#include "failures.h"
#include "session.h"

#if defined(_WIN32)
#include "../engines/dbgeng/presence.h"
#include "../engines/dbgeng/servers.h"
#endif

/* Returns None, or the exception for a status that is not S_OK. */
static PyObject *none_or_failure(const session_object *self, const char *method, HRESULT hresult)
{
    PyObject *result = NULL;

    if (hresult == S_OK) {
        result = Py_None;
        Py_INCREF(result);
    } else {
        failure_raise_call(self, method, hresult);
    }
    return result;
}

/* The effective processor decides the width (IDebugControl::SetEffectiveProcessorType). The width
 * changes only from 8 to 4: a 32-bit program has no 64-bit pointers to write. */
PyObject *session_set_pointer_size(PyObject *self, PyObject *size)
{
    session_object *session = (session_object *)self;
    IDebugControl *control = NULL;
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    core_error error = {0};
    unsigned long wanted = PyLong_AsUnsignedLong(size);
    const char *method = "SetEffectiveProcessorType";
    HRESULT status = S_OK;
    uint32_t width = 0;

    if (PyErr_Occurred() || !session_enter(session, false)) {
        goto done;
    }
    control = session->target.control;
    released = PyEval_SaveThread();
    width = core_pointer_size(&session->target, &error);
    if (width == 8 && wanted == 4) {
        status = control->lpVtbl->SetEffectiveProcessorType(control, IMAGE_FILE_MACHINE_I386);
    } else if (width == 0) {
        status = error.hresult;
        method = error.method;
    }
    PyEval_RestoreThread(released);
    if (width == 4 && wanted == 8) {
        PyErr_SetString(PyExc_ValueError, "pointer_size is 8, and the target is a 32-bit program");
    } else {
        result = none_or_failure(session, method, status);
    }
    session_leave(session);
done:
    return result;
}

PyObject *session_interface_address(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    PyObject *result = NULL;

    (void)unused;
    if (session_enter(session, false)) {
        result = PyLong_FromVoidPtr(session->client);
        session_leave(session);
    }
    return result;
}

#if defined(_WIN32)

PyObject *session_start_server(PyObject *self, PyObject *options)
{
    session_object *session = (session_object *)self;
    wchar_t *text = PyUnicode_AsWideCharString(options, NULL);
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status = E_NOTIMPL;

    if (text != NULL && session_enter(session, false)) {
        released = PyEval_SaveThread();
        if (session->dbgeng) {
            status = dbgeng_start_server(session->client, text);
        }
        PyEval_RestoreThread(released);
        result = none_or_failure(session, "StartServerWide", status);
        session_leave(session);
    }
    PyMem_Free(text);
    return result;
}

PyObject *session_end_servers(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status;

    (void)unused;
    if (session_enter(session, false)) {
        released = PyEval_SaveThread();
        status = dbgeng_end_servers(session->client);
        PyEval_RestoreThread(released);
        result = none_or_failure(session, "Execute", status);
        session_leave(session);
    }
    return result;
}

/* "S_FALSE: the time ran out" (idebugclient-dispatchcallbacks). */
PyObject *session_dispatch(PyObject *self, PyObject *milliseconds)
{
    session_object *session = (session_object *)self;
    unsigned long timeout = PyLong_AsUnsignedLong(milliseconds);
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status = E_NOTIMPL;

    if (!PyErr_Occurred() && session_enter(session, false)) {
        released = PyEval_SaveThread();
        status = session->client->lpVtbl->DispatchCallbacks(session->client, timeout);
        PyEval_RestoreThread(released);
        result = none_or_failure(session, "DispatchCallbacks", status == S_FALSE ? S_OK : status);
        session_leave(session);
    }
    return result;
}

PyObject *session_process_life(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    dbgeng_life life = {0, 0, 0};
    const char *method = "GetSystemObjectInformation";
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status = E_NOTIMPL;

    (void)unused;
    if (session_enter(session, false)) {
        released = PyEval_SaveThread();
        if (session->dbgeng) {
            status = dbgeng_ask_life(session->client, &life, &method);
        }
        PyEval_RestoreThread(released);
        if (status == S_OK) {
            result = Py_BuildValue("(Kkk)", (unsigned long long)life.thread,
                                   (unsigned long)life.now, (unsigned long)life.up);
        } else {
            failure_raise_call(session, method, status);
        }
        session_leave(session);
    }
    return result;
}

#else

PyObject *session_process_life(PyObject *self, PyObject *unused)
{
    (void)unused;
    failure_raise_call((session_object *)self, "GetSystemObjectInformation", E_NOTIMPL);
    return NULL;
}

PyObject *session_end_servers(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

PyObject *session_start_server(PyObject *self, PyObject *options)
{
    (void)options;
    failure_raise_call((session_object *)self, "StartServerWide", E_NOTIMPL);
    return NULL;
}

PyObject *session_dispatch(PyObject *self, PyObject *milliseconds)
{
    (void)milliseconds;
    failure_raise_call((session_object *)self, "DispatchCallbacks", E_NOTIMPL);
    return NULL;
}

#endif
