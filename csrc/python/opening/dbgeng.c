/* Opening sessions of Microsoft's engine. The Python half has checked the arguments. */
#include "dbgeng.h"

#include "../../engines/dbgeng/loading.h"
#include "../../engines/dbgeng/open_on_thread.h"
#include "../../engines/dbgeng/open_process.h"
#include "../../engines/dbgeng/open_remote.h"
#include "../../engines/dbgeng/servers.h"
#include "../failures.h"
#include "../session.h"
#include "waiting.h"

#define SERVER_CAPSULE "pydbgwrite.process_server"

static dbgeng_waiting waiting_for(opening_waiting *context, double seconds)
{
    return (dbgeng_waiting){opening_goes_on, context, opening_nanoseconds(seconds)};
}

static const char *failure_name(dbgeng_failure failure)
{
    static const char *const names[] = {
        [DBGENG_OK] = "ok",
        [DBGENG_BUSY] = "busy",
        [DBGENG_LOST] = "lost",
        [DBGENG_NO_PROCESS] = "no_process",
        [DBGENG_OWN_PROCESS] = "own_process",
        [DBGENG_OTHER_BITNESS] = "other_bitness",
        [DBGENG_NO_TARGET] = "no_target",
        [DBGENG_TIMEOUT] = "timeout",
        [DBGENG_CANCELLED] = "cancelled",
        [DBGENG_ENGINE] = "engine",
        [DBGENG_SYSTEM] = "system",
    };

    return names[failure];
}

/* Sets the exception for a failed opening; after Ctrl-C the exception that is set propagates. */
static void opening_failed(PyObject *module, const dbgeng_error *error, const char *call,
                           PyObject *subject)
{
    if (!PyErr_Occurred()) {
        failure_set(PyObject_CallMethod(state_of_module(module)->from_c, "windows_opening_failed",
                                        "sskkzO", call, failure_name(error->failure),
                                        (unsigned long)(uint32_t)error->hresult,
                                        (unsigned long)error->os_error, error->operation, subject));
    }
}

/* Makes a session over an opened engine session, which is ended again if that fails. */
static PyObject *session_over(PyObject *module, PyObject *type, dbgeng_session *opened,
                              bool writable)
{
    static const char *const kinds[] = {
        [DBGENG_PROCESS] = "process",
        [DBGENG_DUMP] = "dump",
        [DBGENG_KERNEL] = "kernel",
        [DBGENG_REMOTE] = "remote",
    };
    session_object *session = NULL;
    PyThreadState *released = NULL;
    const char *method = NULL;

    if (!PyErr_Occurred()) { /* Ctrl-C may have come at the last moment */
        (void)opened->client->lpVtbl->AddRef(opened->client);
        session = session_create(state_of_module(module), (PyTypeObject *)type, opened->client,
                                 NULL, kinds[opened->kind], writable);
    }
    if (session == NULL) {
        released = PyEval_SaveThread();
        (void)opened->base.operations->end(&opened->base, false, true, &method);
        opened->base.operations->destroy(&opened->base);
        PyEval_RestoreThread(released);
    } else {
        session->behind = &opened->base;
        session->process_id = opened->process_id;
    }
    return (PyObject *)session;
}

/* Converts a str to wide text; None sets NULL and returns true. */
static bool wide(PyObject *object, wchar_t **text)
{
    Py_ssize_t length = 0;
    bool good = true;

    *text = NULL;
    if (object != Py_None) {
        /* With a length argument, NULs inside are accepted: environments have them. */
        *text = PyUnicode_AsWideCharString(object, &length);
        good = *text != NULL;
    }
    return good;
}

/* Gets the server's handle from a capsule; 0 for None. False: an exception is set. */
static bool server_of(PyObject *object, uint64_t *server)
{
    uint64_t *held = NULL;

    *server = 0;
    if (object != Py_None) {
        held = PyCapsule_GetPointer(object, SERVER_CAPSULE);
        if (held != NULL) {
            *server = *held;
        }
    }
    return object == Py_None || held != NULL;
}

/* -- The engine ----------------------------------------------------------------------------- */

static const char *load_failure_name(dbgeng_load_failure failure)
{
    static const char *const names[] = {
        [DBGENG_LOAD_OK] = "ok",
        [DBGENG_LOAD_PATH] = "path",
        [DBGENG_LOAD_FOLDER] = "folder",
        [DBGENG_LOAD_FILE] = "file",
        [DBGENG_LOAD_PROGRAM] = "program",
        [DBGENG_LOAD_BITNESS] = "bitness",
        [DBGENG_LOAD_SIBLING] = "sibling",
        [DBGENG_LOAD_LIBRARY] = "library",
        [DBGENG_LOAD_FUNCTION] = "function",
        [DBGENG_LOAD_OTHER] = "other",
    };

    return names[failure];
}

PyObject *open_dbgeng_load(PyObject *module, PyObject *folder)
{
    PyObject *result = NULL, *mixed = NULL;
    PyThreadState *released = NULL;
    wchar_t *path = PyUnicode_AsWideCharString(folder, NULL);
    dbgeng_load_error *error = PyMem_Malloc(sizeof *error); /* some 8 KB */

    (void)module;
    if (path == NULL || error == NULL) {
        if (path != NULL) {
            (void)PyErr_NoMemory();
        }
        goto done;
    }
    released = PyEval_SaveThread();
    (void)dbgeng_load(path, error);
    PyEval_RestoreThread(released);
    mixed = PyList_New(0);
    for (int i = 0; mixed != NULL && i < DBGENG_SIBLINGS; i++) {
        PyObject *one = NULL;

        if (error->mixed[i][0] != L'\0') {
            one = PyUnicode_FromWideChar(error->mixed[i], -1);
            if (one == NULL || PyList_Append(mixed, one) < 0) {
                Py_CLEAR(mixed);
            }
        }
        Py_XDECREF(one);
    }
    if (mixed != NULL) {
        result = Py_BuildValue("(skkkuO)", load_failure_name(error->failure),
                               (unsigned long)error->os_error, (unsigned long)error->machine,
                               (unsigned long)error->own_machine, error->file, mixed);
    }
done:
    Py_XDECREF(mixed);
    PyMem_Free(error);
    PyMem_Free(path);
    return result;
}

static PyObject *file_and_version(const wchar_t *file, const uint32_t *version)
{
    return Py_BuildValue("(u(kkkk))", file, (unsigned long)version[0], (unsigned long)version[1],
                         (unsigned long)version[2], (unsigned long)version[3]);
}

PyObject *open_dbgeng_loaded(PyObject *module, PyObject *unused)
{
    const dbgeng_engine *engine = dbgeng_loaded();

    (void)module;
    (void)unused;
    if (engine == NULL) {
        Py_RETURN_NONE;
    }
    return file_and_version(engine->file, engine->version);
}

PyObject *open_dbgeng_file_of(PyObject *module, PyObject *code)
{
    void *address = PyLong_AsVoidPtr(code);
    wchar_t file[DBGENG_PATH];
    uint32_t version[4] = {0, 0, 0, 0};

    (void)module;
    if (address == NULL && PyErr_Occurred()) {
        return NULL;
    }
    if (!dbgeng_file_of((uintptr_t)address, file, version)) {
        Py_RETURN_NONE;
    }
    return file_and_version(file, version);
}

/* -- Sessions ------------------------------------------------------------------------------- */

/* Notes whether the target's own code runs during the session, and whether it is behind a server;
 * `session` may be NULL. */
static void note_target(PyObject *session, bool stopped, uint64_t server)
{
    if (session != NULL) {
        ((session_object *)session)->target.stopped = stopped;
        ((session_object *)session)->target.local = server == 0;
    }
}

PyObject *open_dbgeng_attach(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *server = NULL, *subject = NULL, *result = NULL;
    unsigned long process_id = 0;
    int invasive = 0, suspend = 1, writable = 1;
    double timeout = 0;
    dbgeng_session *opened = NULL;
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    dbgeng_attach_options options;
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "OOkpppd", &type, &server, &process_id, &invasive, &suspend,
                          &writable, &timeout) ||
        !server_of(server, &options.server)) {
        goto done;
    }
    options.process_id = process_id;
    options.invasive = invasive != 0;
    options.suspend = suspend != 0;
    options.waiting = waiting_for(&waiting, timeout);
    waiting.released = PyEval_SaveThread();
    opened = dbgeng_attach(&options, &error);
    PyEval_RestoreThread(waiting.released);
    if (opened != NULL) {
        result = session_over(module, type, opened, writable != 0);
        note_target(result, options.suspend, options.server);
    } else {
        subject = PyLong_FromUnsignedLong(process_id);
        if (subject != NULL) {
            opening_failed(module, &error, "attach", subject);
        }
    }
done:
    Py_XDECREF(subject);
    return result;
}

PyObject *open_dbgeng_launch(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *server = NULL, *line = NULL, *folder = NULL, *variables = NULL;
    PyObject *result = NULL;
    int writable = 1;
    double timeout = 0;
    wchar_t *command_line = NULL, *directory = NULL, *environment = NULL;
    dbgeng_session *opened = NULL;
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    dbgeng_launch_options options;
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "OOUOOpd", &type, &server, &line, &folder, &variables,
                          &writable, &timeout) ||
        !server_of(server, &options.server) || !wide(line, &command_line) ||
        !wide(folder, &directory) || !wide(variables, &environment)) {
        goto done;
    }
    options.command_line = command_line;
    options.directory = directory;
    options.environment = environment;
    options.waiting = waiting_for(&waiting, timeout);
    waiting.released = PyEval_SaveThread();
    opened = dbgeng_launch(&options, &error);
    PyEval_RestoreThread(waiting.released);
    if (opened != NULL) {
        result = session_over(module, type, opened, writable != 0);
        note_target(result, true, options.server);
    } else {
        opening_failed(module, &error, "launch", line);
    }
done:
    PyMem_Free(environment);
    PyMem_Free(directory);
    PyMem_Free(command_line);
    return result;
}

/* The signature that open_dump, attach_kernel and connect share. */
typedef dbgeng_session *(*opener)(const wchar_t *text, const dbgeng_waiting *waiting,
                                  dbgeng_error *error);

static PyObject *open_by(opener open, const char *call, PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *subject = NULL, *result = NULL;
    int writable = 1;
    double timeout = 0;
    wchar_t *text = NULL;
    dbgeng_session *opened = NULL;
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    dbgeng_waiting limit;
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "OUpd", &type, &subject, &writable, &timeout) ||
        !wide(subject, &text)) {
        goto done;
    }
    limit = waiting_for(&waiting, timeout);
    waiting.released = PyEval_SaveThread();
    opened = open(text, &limit, &error);
    PyEval_RestoreThread(waiting.released);
    if (opened != NULL) {
        result = session_over(module, type, opened, writable != 0);
    } else {
        opening_failed(module, &error, call, subject);
    }
done:
    PyMem_Free(text);
    return result;
}

PyObject *open_dbgeng_dump(PyObject *module, PyObject *arguments)
{
    return open_by(dbgeng_open_dump, "open_dump", module, arguments);
}

PyObject *open_dbgeng_kernel(PyObject *module, PyObject *arguments)
{
    return open_by(dbgeng_attach_kernel, "attach_kernel", module, arguments);
}

PyObject *open_dbgeng_connect(PyObject *module, PyObject *arguments)
{
    return open_by(dbgeng_connect, "connect", module, arguments);
}

/* -- Process servers ------------------------------------------------------------------------ */

static void disconnect(PyObject *capsule)
{
    uint64_t *server = PyCapsule_GetPointer(capsule, SERVER_CAPSULE);
    PyThreadState *released = NULL;

    if (server != NULL) {
        if (*server != 0) {
            released = PyEval_SaveThread();
            (void)dbgeng_disconnect_server(*server);
            PyEval_RestoreThread(released);
        }
        PyMem_Free(server);
    }
}

PyObject *open_dbgeng_process_server(PyObject *module, PyObject *arguments)
{
    PyObject *subject = NULL, *result = NULL;
    double timeout = 0;
    wchar_t *text = NULL;
    uint64_t *server = NULL;
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    dbgeng_waiting limit;
    opening_waiting waiting = {NULL};

    (void)module;
    if (!PyArg_ParseTuple(arguments, "Ud", &subject, &timeout) || !wide(subject, &text)) {
        goto done;
    }
    server = PyMem_Malloc(sizeof *server);
    if (server == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    limit = waiting_for(&waiting, timeout);
    waiting.released = PyEval_SaveThread();
    *server = dbgeng_connect_server(text, &limit, &error);
    PyEval_RestoreThread(waiting.released);
    if (error.failure != DBGENG_OK) {
        opening_failed(module, &error, "process_server", subject);
    } else {
        result = PyCapsule_New(server, SERVER_CAPSULE, disconnect);
    }
    if (result == NULL) {
        PyMem_Free(server);
    }
done:
    PyMem_Free(text);
    return result;
}

/* More than there are: processes may start between the two calls. */
#define MORE_PROCESSES 64u

PyObject *open_dbgeng_running_ids(PyObject *module, PyObject *capsule)
{
    PyObject *list = NULL, *result = NULL;
    PyThreadState *released = NULL;
    ULONG *ids = NULL;
    ULONG room = 0, count = 0;
    uint64_t server = 0;
    HRESULT status = S_OK;

    (void)module;
    if (!server_of(capsule, &server)) {
        return NULL;
    }
    do { /* S_FALSE, or a larger count: there are more by now */
        room = count + MORE_PROCESSES;
        PyMem_Free(ids);
        ids = PyMem_Malloc(room * sizeof *ids);
        if (ids == NULL) {
            return PyErr_NoMemory();
        }
        released = PyEval_SaveThread();
        status = dbgeng_running_ids(server, ids, room, &count);
        PyEval_RestoreThread(released);
    } while ((status == S_OK || status == S_FALSE) && count > room);
    if (status == S_FALSE) {
        status = S_OK;
    }
    list = PyList_New(0);
    for (ULONG i = 0; list != NULL && status == S_OK && i < count; i++) {
        PyObject *one = PyLong_FromUnsignedLong(ids[i]);

        if (one == NULL || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    if (list != NULL) {
        result = Py_BuildValue("(kO)", (unsigned long)(uint32_t)status, list);
    }
    Py_XDECREF(list);
    PyMem_Free(ids);
    return result;
}

PyObject *open_dbgeng_running_program(PyObject *module, PyObject *arguments)
{
    PyObject *capsule = NULL;
    PyThreadState *released = NULL;
    unsigned long process_id = 0;
    uint64_t server = 0;
    wchar_t program[DBGENG_PATH];
    HRESULT status;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "Ok", &capsule, &process_id) || !server_of(capsule, &server)) {
        return NULL;
    }
    released = PyEval_SaveThread();
    status = dbgeng_running_program(server, process_id, program, DBGENG_PATH);
    PyEval_RestoreThread(released);
    return Py_BuildValue("(ku)", (unsigned long)(uint32_t)status, program);
}

PyObject *open_dbgeng_disconnect(PyObject *module, PyObject *capsule)
{
    uint64_t *server = PyCapsule_GetPointer(capsule, SERVER_CAPSULE);
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status = S_OK;

    (void)module;
    if (server != NULL) {
        if (*server != 0) {
            released = PyEval_SaveThread();
            status = dbgeng_disconnect_server(*server);
            PyEval_RestoreThread(released);
            *server = 0;
        }
        result = PyLong_FromUnsignedLong((unsigned long)(uint32_t)status);
    }
    return result;
}
