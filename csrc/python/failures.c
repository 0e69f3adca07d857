/* Turning core errors into exceptions; pydbgwrite/_messages/engine.py has the words. */
#include "failures.h"

#include <string.h>

#include "../core/differences.h"
#include "../core/query.h"
#include "../core/read_back.h"
#include "gil.h"

#if defined(__linux__)
#include "../engines/embedded/linux/memory.h"
#endif

static const char *status_name(core_status status)
{
    const char *name = "engine";

    if (status == CORE_WRAPS) {
        name = "wraps";
    } else if (status == CORE_POINTER_RANGE) {
        name = "pointer_range";
    } else if (status == CORE_UNREADABLE) {
        name = "unreadable";
    } else if (status == CORE_DIFFERENT) {
        name = "different";
    } else if (status == CORE_BUFFER_GONE) {
        name = "buffer_gone";
    }
    return name;
}

static bool is_writable(const MEMORY_BASIC_INFORMATION64 *page)
{
    return page->State == MEM_COMMIT &&
           (page->Protect == PAGE_READWRITE || page->Protect == PAGE_EXECUTE_READWRITE);
}

/* Returns (protection, state, type) of the page behind a failing element of `width` bytes at
 * *address, as QueryVirtual gives them, or None. If the element lies across two regions and the
 * first allows the access, the second one failed: *address then moves there. */
static PyObject *page_behind(const session_object *session, uint64_t *address, uint32_t width,
                             bool writes)
{
    MEMORY_BASIC_INFORMATION64 page = {0};
    PyObject *result = NULL;
    PyThreadState *released = PyEval_SaveThread();
    HRESULT status = core_query(&session->target, *address, &page);
    uint64_t left = page.BaseAddress + page.RegionSize - *address;

    if (status == S_OK && left > 0 && left < width && page.State == MEM_COMMIT &&
        page.Protect != PAGE_NOACCESS && (!writes || is_writable(&page))) {
        *address += left;
        status = core_query(&session->target, *address, &page);
    }
    PyEval_RestoreThread(released);
    /* For an address that a dump does not hold dbgeng describes the next region. */
    if (status == S_OK && *address - page.BaseAddress < page.RegionSize) {
        result = Py_BuildValue("(kkk)", (unsigned long)page.Protect, (unsigned long)page.State,
                               (unsigned long)page.Type);
    } else {
        result = Py_None;
        Py_INCREF(result);
    }
    return result;
}

/* Returns whether counting the landed elements ended at one that can't be read whole. *unread: the
 * first address of it that can't be read. */
static bool ends_unread(const session_object *session, const core_error *error, uint64_t at,
                        uint64_t *unread)
{
    unsigned char element[sizeof(uint64_t)];
    ULONG read = error->width;

    if (error->status == CORE_UNREADABLE ||
        (error->status == CORE_ENGINE && error->known && error->landed < error->count)) {
        gil_release();
        (void)core_read_leading(&session->target, at, element, error->width, &read);
        gil_take();
    }
    *unread = at + read;
    return read < error->width;
}

/* Linux: returns whether unreadable memory may only be written, so that its contents are unknown.
 * If the map allows reading as well, no other process can access it: memory behind the end of a
 * file, secret memory, a guard page. So the write ended there. */
static bool shows_write_only(const session_object *session, uint64_t unread)
{
    bool write_only = false;

#if defined(__linux__)
    if (session->embedded != NULL && session->process_id != 0) {
        write_only = !linux_memory_shows_readable(session->embedded, unread);
    }
#else
    (void)session;
    (void)unread;
#endif
    return write_only;
}

/* Linux: returns whether the page is private and can only be read; it may have been written all the
 * same. */
static bool may_be_forced(const session_object *session, const MEMORY_BASIC_INFORMATION64 *page)
{
    return session->embedded != NULL && session->process_id != 0 && page->State == MEM_COMMIT &&
           page->Type != MEM_MAPPED &&
           (page->Protect == PAGE_READONLY || page->Protect == PAGE_EXECUTE_READ);
}

/* If counting ended at `from` because the page can be written but not read: returns (address, page)
 * of the first address behind it, within the request, that can't be written. None if the map shows
 * none, or each element has a separate address. */
static PyObject *refused_behind(const session_object *session, const core_error *error,
                                uint64_t from)
{
    uint64_t size = error->count * error->width;
    uint64_t at = from;
    bool searches = !error->scattered;
    MEMORY_BASIC_INFORMATION64 page = {0};
    PyObject *behind = NULL, *result = NULL;
    PyThreadState *released = PyEval_SaveThread();

    while (searches && at - error->address < size) {
        uint64_t left = 0;

        if (core_query(&session->target, at, &page) == S_OK &&
            (is_writable(&page) || may_be_forced(session, &page))) {
            left = page.BaseAddress + page.RegionSize - at;
        }
        searches = left > 0;
        at += left;
    }
    PyEval_RestoreThread(released);
    if (!error->scattered && !searches && at != from) {
        behind = page_behind(session, &at, 1, true);
        result = behind == NULL ? NULL : Py_BuildValue("(KN)", (unsigned long long)at, behind);
    } else {
        result = Py_None;
        Py_INCREF(result);
    }
    return result;
}

/* Returns [(address, wanted, found), ...] of the differences that were kept; otherwise an empty
 * list. */
static PyObject *mismatches_of(const core_differences *differences)
{
    uint32_t kept = differences == NULL ? 0 : differences->kept;
    PyObject *list = PyList_New(0);

    for (uint32_t i = 0; list != NULL && i < kept; i++) {
        const core_mismatch *one = &differences->first[i];
        PyObject *entry =
            Py_BuildValue("(KKK)", (unsigned long long)one->address,
                          (unsigned long long)one->wanted, (unsigned long long)one->found);

        if (entry == NULL || PyList_Append(list, entry) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(entry);
    }
    return list;
}

/* Names the case of a refused forced write, "untraced" or "tracer"; "" if none was refused. */
static const char *force_refused(const session_object *session)
{
    const char *who = "";

#if defined(__linux__)
    if (session->embedded != NULL && session->process_id != 0) {
        switch (linux_memory_force_refused(session->embedded)) {
        case LINUX_FORCE_REFUSED_UNTRACED:
            who = "untraced";
            break;
        case LINUX_FORCE_REFUSED_TRACER:
            who = "tracer";
            break;
        default:
            break;
        }
    }
#else
    (void)session;
#endif
    return who;
}

static const char *gone_name(backing_gone gone)
{
    static const char *const names[] = {
        [BACKING_THERE] = "", [BACKING_TARGET_GONE] = "target", [BACKING_SERVER_GONE] = "server"};

    return names[gone];
}

/* Finds whether dbgeng's target, or its server, no longer answers. A lost connection fails every
 * call. */
static backing_gone what_is_gone(const session_object *session)
{
    backing_gone gone = session_gone(session);
    core_error error = {0};

    if (gone == BACKING_THERE && session->behind != NULL && !session->wrapped) {
        gil_release();
        if (core_pointer_size(&session->target, &error) == 0) {
            gone = strcmp(session->kind, "remote") == 0 ? BACKING_SERVER_GONE : BACKING_TARGET_GONE;
        }
        gil_take();
    }
    return gone;
}

PyObject *failure_take(const module_state *state)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL, *answer = NULL;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL) {
        (void)PyException_SetTraceback(value, trace);
    }
    if (PyErr_GivenExceptionMatches(value, PyExc_Exception)) {
        answer = PyObject_CallMethod(state->from_c, "is_from_handler", "O", value);
        if (answer == NULL) { /* a handler has raised meanwhile */
            failure_set_reason(value, false);
            value = NULL;
        }
    }
    if (value != NULL && answer != Py_False) {
        PyErr_Restore(type, value, trace);
        type = value = trace = NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(trace);
    Py_XDECREF(answer);
    return value;
}

PyObject *failure_take_refusal(const module_state *state)
{
    bool refused = PyErr_ExceptionMatches(PyExc_BufferError) ||
                   PyErr_ExceptionMatches(PyExc_TypeError) ||
                   PyErr_ExceptionMatches(PyExc_ValueError);

    return refused ? failure_take(state) : NULL;
}

void failure_set_reason(PyObject *reason, bool is_cause)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (is_cause) {
        PyException_SetCause(value, Py_NewRef(reason));
    }
    PyException_SetContext(value, reason);
    PyErr_Restore(type, value, trace);
}

void failure_set(PyObject *exception)
{
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
}

static void raise_failure(const session_object *session, const core_error *error, bool writes)
{
    bool unreadable = error->status == CORE_UNREADABLE;
    bool different = error->status == CORE_DIFFERENT;
    const core_differences *differences = different ? error->differences : NULL;
    backing_gone gone =
        error->status == CORE_ENGINE || unreadable ? what_is_gone(session) : BACKING_THERE;
    uint64_t at = error->scattered || unreadable || different
                      ? error->at
                      : error->address + error->landed * error->width;
    uint64_t unread_at = at;
    bool unread = writes && gone == BACKING_THERE && ends_unread(session, error, at, &unread_at);
    bool write_only = unread && shows_write_only(session, unread_at);
    PyObject *page = NULL, *landed = NULL, *refused = NULL, *facts = NULL;
    PyObject *mismatches = mismatches_of(differences);

    if (session->embedded != NULL && session->process_id != 0 && !unreadable && unread &&
        !write_only) {
        unread = false;
        at = error->scattered ? at : unread_at;
    }
    if (gone != BACKING_THERE || different) {
        page = Py_None;
        Py_INCREF(page);
    } else {
        page = page_behind(session, &at, error->width, writes && !unreadable);
    }
    if (error->known && gone == BACKING_THERE) {
        landed = PyLong_FromUnsignedLongLong(error->landed);
    } else {
        landed = Py_None;
        Py_INCREF(landed);
    }
    if (unread && !unreadable) {
        refused = refused_behind(session, error, at);
    } else {
        refused = Py_None;
        Py_INCREF(refused);
    }
    if (page == NULL || landed == NULL || refused == NULL || mismatches == NULL) {
        goto done;
    }
    facts = Py_BuildValue(
        "{s:s,s:k,s:z,s:K,s:K,s:k,s:O,s:K,s:K,s:K,s:O,s:s,s:k,s:i,s:s,s:s,s:i,s:i,s:K,s:z,s:O,s:K,"
        "s:i,s:i,s:O}",
        "status", status_name(error->status), "hresult", (unsigned long)(uint32_t)error->hresult,
        "method", error->method, "address", (unsigned long long)error->address, "count",
        (unsigned long long)error->count, "width", (unsigned long)error->width, "landed", landed,
        "done", (unsigned long long)error->done, "index", (unsigned long long)error->index, "value",
        (unsigned long long)error->value, "page", page, "kind", session->kind, "process_id",
        (unsigned long)session->process_id, "writes", (int)writes, "force_refused",
        force_refused(session), "gone", gone_name(gone), "embedded", (int)!session->dbgeng,
        "scattered", (int)error->scattered, "at", (unsigned long long)at, "purpose", error->purpose,
        "mismatches", mismatches, "total", (unsigned long long)(different ? differences->total : 0),
        "unread", (int)unread, "write_only", (int)write_only, "refused", refused);
    if (facts == NULL) {
        goto done;
    }
    failure_set(PyObject_CallMethod(session->state->from_c, "engine_failed", "O", facts));
done:
    Py_XDECREF(facts);
    Py_XDECREF(mismatches);
    Py_XDECREF(refused);
    Py_XDECREF(landed);
    Py_XDECREF(page);
}

/* The number written is found by reading back after a failed call; a stopped call counts it itself.
 */
void failure_note(const core_error *error)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL, *number = NULL, *note = NULL;
    PyObject *result = NULL;
    const char *unit = error->width == 1 ? "bytes" : "pointers";
    bool failed = error->status == CORE_ENGINE || error->status == CORE_UNREADABLE;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (failed && !error->known) {
        number = Py_NewRef(Py_None);
        note =
            PyUnicode_FromFormat("pydbgwrite: how many of %llu %s the target holds is not known. "
                                 "The kernel still waits for a page, and what was being written "
                                 "there may still land; this session can't be used any more",
                                 (unsigned long long)error->count, unit);
    } else {
        uint64_t held = failed ? error->landed : error->done;

        number = PyLong_FromUnsignedLongLong(held);
        note =
            PyUnicode_FromFormat("pydbgwrite: the target holds the first %llu of %llu %s",
                                 (unsigned long long)held, (unsigned long long)error->count, unit);
    }
    if (value != NULL && number != NULL && note != NULL) {
        /* An exception with __slots__ can refuse the attribute; it still propagates. */
        if (PyObject_SetAttrString(value, "written", number) < 0) {
            PyErr_Clear();
        }
        result = PyObject_CallMethod(value, "add_note", "O", note);
    }
    if (result == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(result);
    Py_XDECREF(note);
    Py_XDECREF(number);
    PyErr_Restore(type, value, trace);
}

void failure_raise(const session_object *session, const core_error *error, bool writes)
{
    if (PyErr_Occurred()) {
        if (writes) {
            failure_note(error);
        }
    } else if (session_not_forked(session)) { /* in a forked child no target answers */
        raise_failure(session, error, writes);
    }
}

void failure_raise_at(const session_object *session, const char *method, HRESULT hresult,
                      uint64_t address, uint64_t count, bool writes)
{
    core_error error = {0};

    error.status = CORE_ENGINE;
    error.hresult = hresult;
    error.method = method;
    error.address = address;
    error.count = count;
    error.width = 1;
    failure_raise(session, &error, writes);
}

void failure_raise_call(const session_object *session, const char *method, HRESULT hresult)
{
    if (!PyErr_Occurred() && session_not_forked(session)) {
        failure_set(PyObject_CallMethod(
            session->state->from_c, "call_failed", "sksO", method, (unsigned long)(uint32_t)hresult,
            gone_name(session_gone(session)), session->dbgeng ? Py_False : Py_True));
    }
}
