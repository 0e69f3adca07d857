/* The modules and symbols that dbgeng knows, for modules() and resolve(). */
#include "session_symbols.h"

#include "../com/hresult.h"
#include "failures.h"
#include "session.h"

#if defined(_WIN32)

#include "../engines/dbgeng/symbols.h"

#define UNDECORATED 4096u

#define BETWEEN_SIGNALS 1024 /* symbols, some 15 ms: then Ctrl-C is looked for */

/* Modules and symbols arrive while the GIL is released: they are kept here until it is taken again.
 */
typedef struct found_list {
    PyThreadState *released;
    PyObject *list;
    Py_ssize_t most; /* this many are enough */
} found_list;

/* Appends `item`, and takes over its reference. False: it is NULL, or an exception is set. */
static bool append_item(PyObject *list, PyObject *item)
{
    bool good = item != NULL && PyList_Append(list, item) == 0;

    Py_XDECREF(item);
    return good;
}

/* Leaves the session. Returns the list, or NULL if an exception is set. */
static PyObject *leave_with(session_object *session, found_list *found)
{
    if (PyErr_Occurred()) {
        Py_CLEAR(found->list);
    }
    session_leave(session);
    return found->list;
}

static bool take_module(void *context, const dbgeng_module *module)
{
    found_list *found = context;
    PyObject *path, *name;
    PyObject *item = NULL;
    bool good;

    PyEval_RestoreThread(found->released);
    path = PyUnicode_FromWideChar(module->path, -1);
    name = path == NULL ? NULL : PyUnicode_FromWideChar(module->name, -1);
    if (name != NULL) {
        item =
            Py_BuildValue("(KkOOk)", (unsigned long long)module->base, (unsigned long)module->size,
                          path, name, (unsigned long)module->timestamp);
    }
    good = append_item(found->list, item);
    Py_XDECREF(name);
    Py_XDECREF(path);
    found->released = PyEval_SaveThread();
    return good;
}

static bool take_symbol(void *context, const wchar_t *name, uint64_t address)
{
    found_list *found = context;
    PyObject *text;
    PyObject *item = NULL;
    bool good;

    PyEval_RestoreThread(found->released);
    text = PyUnicode_FromWideChar(name, -1);
    if (text != NULL) {
        item = Py_BuildValue("(OK)", text, (unsigned long long)address);
        Py_DECREF(text);
    }
    good = append_item(found->list, item) && PyList_Size(found->list) < found->most &&
           (PyList_Size(found->list) % BETWEEN_SIGNALS != 0 || PyErr_CheckSignals() == 0);
    found->released = PyEval_SaveThread();
    return good;
}

PyObject *session_list_modules(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    found_list found = {NULL, NULL, PY_SSIZE_T_MAX};
    HRESULT status;

    (void)unused;
    if (!session_enter(session, false)) {
        return NULL;
    }
    found.list = PyList_New(0);
    if (found.list != NULL && session->dbgeng) {
        found.released = PyEval_SaveThread();
        status = dbgeng_modules(session->client, take_module, &found);
        PyEval_RestoreThread(found.released);
        if (status != S_OK && !PyErr_Occurred()) {
            failure_raise_call(session, "GetModuleParameters", status);
        }
    }
    return leave_with(session, &found);
}

PyObject *session_load_module(PyObject *self, PyObject *arguments)
{
    session_object *session = (session_object *)self;
    PyObject *file = NULL, *result = NULL;
    unsigned long long base = 0;
    unsigned long size = 0;
    wchar_t *text = NULL;
    HRESULT status = E_NOINTERFACE;

    if (PyArg_ParseTuple(arguments, "UKk:_load_module", &file, &base, &size)) {
        text = PyUnicode_AsWideCharString(file, NULL);
    }
    if (text != NULL && session_enter(session, false)) {
        PyThreadState *released = PyEval_SaveThread();

        if (session->dbgeng) {
            status = dbgeng_load_module(session->client, text, base, size);
        }
        PyEval_RestoreThread(released);
        result = PyBool_FromLong(status == S_OK);
        session_leave(session);
    }
    PyMem_Free(text);
    return result;
}

PyObject *session_thread_teb(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;
    uint64_t teb = 0;

    (void)unused;
    if (!session_enter(session, false)) {
        return NULL;
    }
    if (session->dbgeng) {
        PyThreadState *released = PyEval_SaveThread();

        teb = dbgeng_thread_teb(session->client);
        PyEval_RestoreThread(released);
    }
    session_leave(session);
    return PyLong_FromUnsignedLongLong(teb);
}

PyObject *session_keep_decoration(PyObject *self, PyObject *unused)
{
    session_object *session = (session_object *)self;

    (void)unused;
    if (!session_enter(session, false)) {
        return NULL;
    }
    if (session->dbgeng) {
        PyThreadState *released = PyEval_SaveThread();

        dbgeng_keep_decoration(session->client);
        PyEval_RestoreThread(released);
    }
    session_leave(session);
    Py_RETURN_NONE;
}

/* With the GIL: dbghelp's functions are not to be called by two threads at a time ("DbgHelp
 * Functions"), and this one is short. */
PyObject *session_undecorate(PyObject *self, PyObject *name)
{
    session_object *session = (session_object *)self;
    wchar_t *text = PyUnicode_AsWideCharString(name, NULL);
    wchar_t whole[UNDECORATED] = L"", short_name[UNDECORATED] = L"";
    PyObject *result = NULL;

    if (text != NULL && session_enter(session, false)) {
        if (session->dbgeng) {
            (void)dbgeng_undecorate(text, DBGENG_PARAMETERS, whole, UNDECORATED);
            (void)dbgeng_undecorate(text, DBGENG_NAME_ONLY, short_name, UNDECORATED);
        }
        session_leave(session);
        result = Py_BuildValue("(uu)", whole, short_name);
    }
    PyMem_Free(text);
    return result;
}

PyObject *session_symbol_address(PyObject *self, PyObject *name)
{
    session_object *session = (session_object *)self;
    wchar_t *text = PyUnicode_AsWideCharString(name, NULL);
    PyThreadState *released = NULL;
    PyObject *result = NULL;
    HRESULT status = E_NOINTERFACE;
    uint64_t address = 0;

    if (text != NULL && session_enter(session, false)) {
        released = PyEval_SaveThread();
        if (session->dbgeng) {
            status = dbgeng_symbol(session->client, text, &address);
        }
        PyEval_RestoreThread(released);
        result =
            Py_BuildValue("(kK)", (unsigned long)(uint32_t)status, (unsigned long long)address);
        session_leave(session);
    }
    PyMem_Free(text);
    return result;
}

PyObject *session_match_symbols(PyObject *self, PyObject *arguments)
{
    session_object *session = (session_object *)self;
    found_list found = {NULL, NULL, 0};
    PyObject *pattern = NULL, *result = NULL;
    wchar_t *text = NULL;

    if (PyArg_ParseTuple(arguments, "Un:_match_symbols", &pattern, &found.most)) {
        text = PyUnicode_AsWideCharString(pattern, NULL);
    }
    if (text != NULL && session_enter(session, false)) {
        found.list = PyList_New(0);
        if (found.list != NULL && session->dbgeng && found.most > 0) {
            found.released = PyEval_SaveThread();
            /* No match, or an engine without symbols: the list is empty. */
            (void)dbgeng_symbols(session->client, text, take_symbol, &found);
            PyEval_RestoreThread(found.released);
        }
        result = leave_with(session, &found);
    }
    PyMem_Free(text);
    return result;
}

static bool take_name(void *context, const wchar_t *name, uint64_t displacement)
{
    found_list *found = context;
    PyObject *text = NULL, *item = NULL;
    bool good;

    PyEval_RestoreThread(found->released);
    if (name == NULL) {
        item = Py_NewRef(Py_None);
    } else {
        text = PyUnicode_FromWideChar(name, -1);
        item = text == NULL ? NULL : Py_BuildValue("(OK)", text, (unsigned long long)displacement);
    }
    Py_XDECREF(text);
    good = append_item(found->list, item);
    found->released = PyEval_SaveThread();
    return good;
}

PyObject *session_symbol_names(PyObject *self, PyObject *addresses)
{
    session_object *session = (session_object *)self;
    found_list found = {NULL, NULL, PY_SSIZE_T_MAX};
    char *bytes = NULL;
    Py_ssize_t size = 0;

    /* Bytes: they stay while the GIL is released, and are aligned for any number. */
    if (PyBytes_AsStringAndSize(addresses, &bytes, &size) != 0 || !session_enter(session, false)) {
        return NULL;
    }
    found.list = PyList_New(0);
    if (found.list != NULL && session->dbgeng) {
        found.released = PyEval_SaveThread();
        /* An engine without symbols: the list is empty. */
        (void)dbgeng_names(session->client, (const uint64_t *)(void *)bytes,
                           (size_t)size / sizeof(uint64_t), take_name, &found);
        PyEval_RestoreThread(found.released);
    }
    return leave_with(session, &found);
}

#else

PyObject *session_list_modules(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyList_New(0);
}

PyObject *session_symbol_address(PyObject *self, PyObject *name)
{
    (void)self;
    (void)name;
    return Py_BuildValue("(kK)", (unsigned long)(uint32_t)E_NOINTERFACE, 0ULL);
}

PyObject *session_match_symbols(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    return PyList_New(0);
}

PyObject *session_load_module(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    Py_RETURN_FALSE;
}

PyObject *session_undecorate(PyObject *self, PyObject *name)
{
    (void)self;
    (void)name;
    return Py_BuildValue("(ss)", "", "");
}

PyObject *session_thread_teb(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyLong_FromLong(0);
}

PyObject *session_keep_decoration(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

PyObject *session_symbol_names(PyObject *self, PyObject *addresses)
{
    (void)self;
    (void)addresses;
    return PyList_New(0);
}

#endif
