/* The records of a transaction; see record_log.h. */
#include "record_log.h"

#include <stdlib.h>
#include <string.h>

#include "../base/record_frame.h"

#define LEAST_ROOM ((size_t)4096)

/* Calls a function of pydbgwrite/_from_c.py with this log. Returns whether it returned. */
static bool call_python(record_log *log, const char *function)
{
    const module_state *state =
        (const module_state *)PyType_GetModuleState(Py_TYPE((PyObject *)log));
    PyObject *answer = PyObject_CallMethod(state->from_c, function, "O", (PyObject *)log);
    bool good = answer != NULL;

    Py_XDECREF(answer);
    return good;
}

/* Makes room for `more` bytes behind the pending records. False: memory is short. */
static bool make_room(record_log *log, size_t more)
{
    size_t kept = log->file == NULL ? (size_t)log->index.end : log->slot;
    size_t wanted = kept + log->pending_size + more;
    size_t size = log->room_size == 0 ? LEAST_ROOM : log->room_size;
    unsigned char *room = log->room;

    if (wanted <= log->room_size) {
        return true;
    }
    if (log->file == NULL) {
        /* The last step takes all that memory may hold: untouched pages cost nothing. */
        while (size < wanted) {
            size *= 16;
        }
        size = size < RECORDS_IN_MEMORY ? size : (size_t)RECORDS_IN_MEMORY;
        room = realloc(room, size);
    } else {
        size = log->durable && more > LEAST_ROOM && more < GROUP_BYTES ? GROUP_BYTES : more;
        size = size > LEAST_ROOM ? size : LEAST_ROOM;
        free(room); /* nothing there is needed: several records are put only where they fit */
        log->room = NULL;
        log->room_size = 0;
        room = malloc(size);
    }
    if (room != NULL) {
        log->room = room;
        log->room_size = size;
    }
    return room != NULL;
}

bool record_log_may_add(const record_log *log)
{
    if (log->in_use) {
        PyErr_SetString(PyExc_RuntimeError, "another record is being added");
    } else if (log->file != NULL && log->handle == -1) {
        PyErr_SetString(PyExc_ValueError, "the journal is closed");
    } else if (log->broken != NULL) {
        PyErr_SetObject(PyExc_OSError, log->broken);
    }
    return PyErr_Occurred() == NULL;
}

static unsigned char *place_of_next(const record_log *log)
{
    return log->room + (log->file == NULL ? (size_t)log->index.end : log->slot) + log->pending_size;
}

void record_log_put(record_log *log, uint32_t kind, uint32_t unit, size_t payload, uint64_t bytes)
{
    size_t before = log->flying_count + log->pending_count;
    pending_record *pending = &log->pending[before];
    uint64_t chain = before == 0 ? log->index.chain : pending[-1].chain;
    uint64_t number = log->index.number + before;

    pending->kind = kind;
    pending->size = record_frame_size(payload);
    pending->value = bytes;
    pending->chain =
        record_frame_seal(place_of_next(log), kind, unit, number, payload, chain, log->sealed);
    log->pending_size += pending->size;
    log->pending_count++;
}

unsigned char *record_log_room(record_log *log, size_t payload)
{
    bool first = log->flying_count + log->pending_count == 0;
    bool cut = log->owes_cut && first;
    bool good;
    size_t size;

    if (first && !record_log_may_add(log)) {
        return NULL;
    }
    if (payload > RECORD_LONGEST) {
        PyErr_SetString(PyExc_ValueError, "the record is too long");
        return NULL;
    }
    size = record_frame_size(payload) + (cut ? record_frame_size(0) : 0);
    if (log->file == NULL && log->index.end + log->pending_size + size > RECORDS_IN_MEMORY &&
        !call_python(log, "leave_memory")) {
        return NULL;
    }
    OBJECT_LOCK(log); /* another thread may read the records */
    good = record_index_reserve(&log->index, MOST_PENDING) && make_room(log, size);
    log->in_use = log->in_use || good;
    OBJECT_UNLOCK(log);
    if (!good) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    if (cut) {
        record_log_put(log, RECORD_CUT_SHORT, 0, 0, 0);
    }
    return place_of_next(log) + RECORD_HEAD;
}

bool record_log_groups(const record_log *log, size_t payload)
{
    return log->durable && log->pending_count < MOST_PENDING &&
           log->pending_size + record_frame_size(payload) <= log->room_size;
}

bool record_log_keeps(record_log *log, size_t records, size_t payload)
{
    uint64_t kept = log->file == NULL ? log->index.end : 0;
    /* A mark can come before the first record. */
    size_t size = records * record_frame_size(payload) + record_frame_size(0);
    bool good = records < MOST_PENDING && kept + size <= RECORDS_IN_MEMORY && !log->in_use;

    if (good) {
        OBJECT_LOCK(log);
        good = make_room(log, size);
        OBJECT_UNLOCK(log);
    }
    return good;
}

bool record_log_split(record_log *log, size_t payload)
{
    bool good = record_log_may_add(log);

    if (good) {
        /* A mark can come before the first record. */
        log->slot_size = record_frame_size(payload) + record_frame_size(0);
        OBJECT_LOCK(log);
        good = make_room(log, 2 * log->slot_size);
        OBJECT_UNLOCK(log);
        if (!good) {
            (void)PyErr_NoMemory();
        }
    }
    return good;
}

/* Prepares the file for bytes behind the last record. False: an exception is set. */
static bool begin_writing(record_log *log)
{
    bool good = true;

    if (log->litter) {
        PyObject *done =
            PyObject_CallMethod(log->file, "truncate", "K", (unsigned long long)log->index.end);
        good = done != NULL;
        Py_XDECREF(done);
    }
    log->litter = true;
    return good;
}

bool record_log_write(record_log *log, const void *data, size_t size)
{
    bool good = begin_writing(log) && record_file_write(log->handle, log->index.end, data, size);

    good = good && (!log->durable || call_python(log, "sync_records"));
    log->litter = !good;
    return good;
}

void record_log_drop(record_log *log)
{
    log->flying_count = log->pending_count = 0;
    log->flying_size = log->pending_size = 0;
    log->slot = 0;
    log->in_use = false;
}

/* Counts the leading records that were put, which are committed now. */
static void count(record_log *log, size_t committed)
{
    for (size_t i = 0; i < committed; i++) {
        const pending_record *each = &log->pending[i];

        record_index_note(&log->index, each->kind, each->value, log->index.end + each->size,
                          each->chain);
        log->owes_cut = log->owes_cut && each->kind != RECORD_CUT_SHORT;
    }
}

bool record_log_commit(record_log *log)
{
    bool good = log->file == NULL || record_log_write(log, log->room, log->pending_size);

    OBJECT_LOCK(log);
    count(log, good ? log->pending_count : 0);
    record_log_drop(log);
    OBJECT_UNLOCK(log);
    return good;
}

bool record_log_begin(record_log *log, const record_file_job *before, record_file_job *job)
{
    bool good = log->flying_count > 0 || begin_writing(log);

    *job = (record_file_job){.before = before,
                             .file = log->handle,
                             .at = log->index.end + log->flying_size,
                             .data = log->room + log->slot,
                             .size = log->pending_size};
    log->flying_count += log->pending_count;
    log->flying_size += log->pending_size;
    log->pending_count = log->pending_size = 0;
    log->slot = log->slot == 0 ? log->slot_size : 0;
    return good;
}

bool record_log_end(record_log *log, const record_file_job *job)
{
    bool good = record_file_whole(job);
    size_t ended = 0;

    for (size_t size = 0; size < job->size; ended++) {
        size += log->pending[ended].size;
    }
    if (good) {
        OBJECT_LOCK(log);
        count(log, ended);
        OBJECT_UNLOCK(log);
        log->flying_count -= ended;
        log->flying_size -= job->size;
        log->litter = log->flying_count > 0;
        memmove(log->pending, log->pending + ended,
                (log->flying_count + log->pending_count) * sizeof log->pending[0]);
    }
    return good;
}
