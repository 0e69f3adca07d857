/* Opening live Linux processes. */
#include "linux.h"

#include <stdlib.h>
#include <string.h>

#include "../../engines/embedded/linux/target_linux.h"
#include "../failures.h"
#include "../session.h"
#include "waiting.h"

static const char *failure_name(linux_open_failure failure)
{
    static const char *const names[] = {
        [LINUX_OPEN_OK] = "ok",
        [LINUX_OPEN_NO_PROCESS] = "no_process",
        [LINUX_OPEN_ZOMBIE] = "zombie",
        [LINUX_OPEN_KERNEL_THREAD] = "kernel_thread",
        [LINUX_OPEN_NOT_A_PROCESS] = "not_a_process",
        [LINUX_OPEN_OWN_PROCESS] = "own_process",
        [LINUX_OPEN_OTHER_PROC] = "other_proc",
        [LINUX_OPEN_PERMISSION] = "permission",
        [LINUX_OPEN_TIMEOUT] = "timeout",
        [LINUX_OPEN_CANCELLED] = "cancelled",
        [LINUX_OPEN_TRACER_ENDED] = "tracer_ended",
        [LINUX_OPEN_EXEC] = "exec",
        [LINUX_OPEN_SYSTEM] = "system",
    };

    return names[failure];
}

/* Sets the exception for a failed opening; after Ctrl-C the exception that is set propagates. Takes
 * over `subject`, which may be NULL if it could not be made. */
static void opening_failed(const module_state *state, const linux_open_error *error,
                           PyObject *subject)
{
    if (subject != NULL && !PyErr_Occurred()) {
        failure_set(PyObject_CallMethod(state->from_c, "linux_opening_failed", "siziO",
                                        failure_name(error->failure), error->os_error,
                                        error->operation, (int)error->detail, subject));
    }
    Py_XDECREF(subject);
}

/* Makes a session over an opened target; NULL and an exception if there is none. After Ctrl-C a
 * launched program is ended: the caller has neither its session nor its id. */
static PyObject *session_over(PyObject *module, PyObject *type, embedded_target *opened,
                              bool launched, bool writable)
{
    /* An exception is set if Ctrl-C came at the last moment of waiting. */
    if (opened != NULL && (PyErr_Occurred() || PyErr_CheckSignals() != 0)) {
        PyThreadState *released = PyEval_SaveThread();

        if (launched) {
            (void)opened->operations->terminate(opened);
        }
        opened->operations->destroy(opened);
        PyEval_RestoreThread(released);
        opened = NULL;
    }
    return opened == NULL
               ? NULL
               : (PyObject *)session_create_embedded(state_of_module(module), (PyTypeObject *)type,
                                                     opened, "process", writable);
}

PyObject *open_linux_attach(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL;
    int pid = 0, suspend = 1, writable = 1;
    double timeout = 0;
    embedded_target *opened;
    linux_open_error error = {LINUX_OPEN_OK, 0, NULL, 0};
    linux_attach_options options;
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "Oippd", &type, &pid, &suspend, &writable, &timeout)) {
        return NULL;
    }
    options = (linux_attach_options){
        .process_id = pid,
        .suspend = suspend != 0,
        .writable = writable != 0,
        .waiting = {opening_goes_on, &waiting, opening_nanoseconds(timeout)},
    };
    waiting.released = PyEval_SaveThread();
    opened = linux_attach(&options, &error);
    PyEval_RestoreThread(waiting.released);
    if (opened == NULL) {
        opening_failed(state_of_module(module), &error, PyLong_FromLong(pid));
    }
    return session_over(module, type, opened, false, options.writable);
}

PyObject *open_linux_suspend(PyObject *module, PyObject *arguments)
{
    PyTypeObject *type = (PyTypeObject *)state_of_module(module)->session_type;
    PyObject *given = NULL, *result = NULL;
    double timeout = 0;
    session_object *session;
    opening_waiting waiting = {NULL};
    linux_waiting limits = {opening_goes_on, &waiting, 0};
    linux_open_error error = {LINUX_OPEN_OK, 0, NULL, 0};
    bool suspended = false;

    if (!PyArg_ParseTuple(arguments, "O!d", type, &given, &timeout)) {
        return NULL;
    }
    session = (session_object *)(void *)given;
    if (!session_enter(session, false)) {
        return NULL;
    }
    if (!session_kernel_reads(session)) {
        PyErr_SetString(PyExc_ValueError, "the session is not of a live Linux process");
        goto done;
    }
    limits.timeout_ns = opening_nanoseconds(timeout);
    waiting.released = PyEval_SaveThread();
    suspended = linux_suspend(session->embedded, &limits, &error);
    PyEval_RestoreThread(waiting.released);
    if (suspended) {
        session->target.stopped = true;
    } else {
        opening_failed(state_of_module(module), &error,
                       PyLong_FromUnsignedLong(session->process_id));
    }
    /* Ctrl-C can have come at the last moment of waiting: the session holds the process. */
    if (suspended && PyErr_Occurred() == NULL && PyErr_CheckSignals() == 0) {
        result = Py_NewRef(Py_None);
    }
done:
    session_leave(session);
    return result;
}

/* Returns the bytes objects of a tuple as a NULL-terminated array, which borrows their memory; to
 * be freed. NULL: an exception is set. */
static char **texts_of(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    char **texts = calloc((size_t)count + 1, sizeof *texts);

    if (texts == NULL) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        texts[i] = PyBytes_AsString(PyTuple_GetItem(tuple, i));
        if (texts[i] == NULL) {
            free(texts);
            texts = NULL;
            break;
        }
    }
    return texts;
}

PyObject *open_linux_launch(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *words = NULL, *environment = NULL, *folder = NULL, *result = NULL;
    const char *path = NULL;
    int writable = 1;
    double timeout = 0;
    char **argv = NULL, **envp = NULL;
    embedded_target *opened;
    linux_open_error error = {LINUX_OPEN_OK, 0, NULL, 0};
    linux_launch_options options = {0};
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "OyO!O!O(iii)pd", &type, &path, &PyTuple_Type, &words,
                          &PyTuple_Type, &environment, &folder, &options.standard[0],
                          &options.standard[1], &options.standard[2], &writable, &timeout) ||
        (folder != Py_None && (options.directory = PyBytes_AsString(folder)) == NULL)) {
        return NULL;
    }
    argv = texts_of(words);
    envp = argv == NULL ? NULL : texts_of(environment);
    if (envp == NULL) {
        goto done;
    }
    options.path = path;
    options.arguments = argv;
    options.environment = envp;
    options.writable = writable != 0;
    options.waiting = (linux_waiting){opening_goes_on, &waiting, opening_nanoseconds(timeout)};
    waiting.released = PyEval_SaveThread();
    opened = linux_launch(&options, &error);
    PyEval_RestoreThread(waiting.released);
    if (opened == NULL) {
        bool of_folder = options.directory != NULL && error.operation != NULL &&
                         strcmp(error.operation, "chdir") == 0;

        opening_failed(state_of_module(module), &error,
                       PyUnicode_DecodeFSDefault(of_folder ? options.directory : path));
    }
    result = session_over(module, type, opened, true, options.writable);
done:
    free(envp);
    free(argv);
    return result;
}
