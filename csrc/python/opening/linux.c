/* Opening live Linux processes. */
#include "linux.h"

#include <stdlib.h>
#include <string.h>

#include "../../engines/embedded/client.h"
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
        [LINUX_OPEN_EXEC] = "exec",
        [LINUX_OPEN_SYSTEM] = "system",
    };

    return names[failure];
}

/* Sets the exception for a failed opening; after Ctrl-C the one that is set goes on. */
static void opening_failed(const module_state *state, const linux_open_error *error,
                           PyObject *subject)
{
    if (!PyErr_Occurred()) {
        failure_set(PyObject_CallMethod(state->from_c, "linux_opening_failed", "siziO",
                                        failure_name(error->failure), error->os_error,
                                        error->operation, (int)error->detail, subject));
    }
}

/* A session over an opened target, which is destroyed where that fails. */
static PyObject *session_over(PyObject *module, PyObject *type, embedded_target *embedded,
                              bool writable)
{
    IDebugClient5 *client = embedded_client_create(embedded);
    PyThreadState *released = NULL;
    PyObject *result = NULL;

    if (PyErr_Occurred() && client != NULL) { /* Ctrl-C came in the last moment */
        released = PyEval_SaveThread();
        (void)client->lpVtbl->Release(client);
        PyEval_RestoreThread(released);
    } else if (client == NULL) {
        released = PyEval_SaveThread();
        embedded->operations->destroy(embedded);
        PyEval_RestoreThread(released);
        (void)PyErr_NoMemory();
    } else {
        result = (PyObject *)session_create(state_of_module(module), (PyTypeObject *)type, client,
                                            embedded, "process", writable);
    }
    return result;
}

PyObject *open_linux_attach(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *result = NULL, *subject = NULL;
    int pid = 0, suspend = 1, writable = 1;
    double timeout = 0;
    embedded_target *embedded = NULL;
    linux_open_error error = {LINUX_OPEN_OK, 0, NULL, 0};
    linux_attach_options options;
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "Oippd", &type, &pid, &suspend, &writable, &timeout)) {
        goto done;
    }
    options.process_id = pid;
    options.suspend = suspend != 0;
    options.writable = writable != 0;
    options.waiting.keep_waiting = opening_goes_on;
    options.waiting.context = &waiting;
    options.waiting.timeout_ns = opening_nanoseconds(timeout);
    waiting.released = PyEval_SaveThread();
    embedded = linux_attach(&options, &error);
    PyEval_RestoreThread(waiting.released);
    if (embedded == NULL) {
        subject = PyLong_FromLong(pid);
        if (subject != NULL) {
            opening_failed(state_of_module(module), &error, subject);
        }
    } else {
        result = session_over(module, type, embedded, options.writable);
    }
done:
    Py_XDECREF(subject);
    return result;
}

/* The bytes objects of a tuple as a NULL-terminated array, which borrows their memory. */
static char **texts_of(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    char **texts = NULL;
    bool good = count >= 0;

    if (good) {
        texts = calloc((size_t)count + 1, sizeof *texts);
        good = texts != NULL;
        if (!good) {
            (void)PyErr_NoMemory();
        }
    }
    for (Py_ssize_t i = 0; good && i < count; i++) {
        PyObject *item = PyTuple_GetItem(tuple, i);

        texts[i] = item == NULL ? NULL : PyBytes_AsString(item);
        good = texts[i] != NULL;
    }
    if (!good) {
        free(texts);
        texts = NULL;
    }
    return texts;
}

PyObject *open_linux_launch(PyObject *module, PyObject *arguments)
{
    PyObject *type = NULL, *words = NULL, *environment = NULL, *folder = NULL;
    PyObject *result = NULL, *subject = NULL;
    const char *path = NULL, *directory = NULL;
    bool of_folder = false;
    int writable = 1;
    double timeout = 0;
    char **argv = NULL, **envp = NULL;
    embedded_target *embedded = NULL;
    linux_open_error error = {LINUX_OPEN_OK, 0, NULL, 0};
    linux_launch_options options = {0};
    opening_waiting waiting = {NULL};

    if (!PyArg_ParseTuple(arguments, "OyO!O!O(iii)pd", &type, &path, &PyTuple_Type, &words,
                          &PyTuple_Type, &environment, &folder, &options.standard[0],
                          &options.standard[1], &options.standard[2], &writable, &timeout)) {
        goto done;
    }
    if (folder != Py_None && (directory = PyBytes_AsString(folder)) == NULL) {
        goto done;
    }
    argv = texts_of(words);
    envp = argv == NULL ? NULL : texts_of(environment);
    if (envp == NULL) {
        goto done;
    }
    options.path = path;
    options.arguments = argv;
    options.environment = envp;
    options.directory = directory;
    options.writable = writable != 0;
    options.waiting.keep_waiting = opening_goes_on;
    options.waiting.context = &waiting;
    options.waiting.timeout_ns = opening_nanoseconds(timeout);
    waiting.released = PyEval_SaveThread();
    embedded = linux_launch(&options, &error);
    PyEval_RestoreThread(waiting.released);
    if (embedded == NULL) {
        of_folder =
            directory != NULL && error.operation != NULL && strcmp(error.operation, "chdir") == 0;
        subject = PyUnicode_DecodeFSDefault(of_folder ? directory : path);
        if (subject != NULL) {
            opening_failed(state_of_module(module), &error, subject);
        }
    } else {
        result = session_over(module, type, embedded, options.writable);
    }
done:
    Py_XDECREF(subject);
    free(envp);
    free(argv);
    return result;
}
