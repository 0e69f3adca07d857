/* The methods of a log for Python; see record_log_type.h. */
#include "record_log_type.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>

#include "../base/record_frame.h"
#include "docstrings.h"
#include "record_log.h"
#include "record_scan.h"

static record_log *self_of(PyObject *self)
{
    return (record_log *)(void *)self;
}

static PyObject *create(PyTypeObject *type, PyObject *arguments, PyObject *options)
{
    PyObject *file, *name;
    Py_ssize_t handle;
    record_log *log = NULL;

    (void)options;
    if (!PyArg_ParseTuple(arguments, "OnU:RecordLog", &file, &handle, &name)) {
        return NULL;
    }
    log = self_of(((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0));
    if (log != NULL) {
        log->name = Py_NewRef(name);
        log->handle = (record_file)handle;
        log->file = file == Py_None ? NULL : Py_NewRef(file);
        log->sealed = log->file != NULL;
    }
    return (PyObject *)log;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    record_log *log = self_of(self);

    Py_CLEAR(log->file);
    Py_CLEAR(log->name);
    Py_CLEAR(log->broken);
    free(log->room);
    record_index_free(&log->index);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static Py_ssize_t length(PyObject *self)
{
    Py_ssize_t count;

    OBJECT_LOCK(self);
    count = (Py_ssize_t)self_of(self)->index.count;
    OBJECT_UNLOCK(self);
    return count;
}

static PyObject *start(PyObject *self, PyObject *arguments)
{
    record_index *index = &self_of(self)->index;
    unsigned long long end, chain;

    if (!PyArg_ParseTuple(arguments, "KK:start", &end, &chain)) {
        return NULL;
    }
    index->end = end;
    index->chain = chain;
    Py_RETURN_NONE;
}

static PyObject *add(PyObject *self, PyObject *arguments)
{
    record_log *log = self_of(self);
    unsigned int kind, unit;
    Py_buffer payload;
    unsigned long long value;
    unsigned char *room;
    bool good = false;

    if (!PyArg_ParseTuple(arguments, "IIy*K:add", &kind, &unit, &payload, &value)) {
        return NULL;
    }
    if (kind == RECORD_SETTLED && value >= log->index.count) {
        PyErr_SetString(PyExc_IndexError, "there is no such record");
    } else {
        room = record_log_room(log, (size_t)payload.len);
        if (room != NULL) {
            memcpy(room, payload.buf, (size_t)payload.len);
            record_log_put(log, kind, unit, (size_t)payload.len, value);
            good = record_log_commit(log);
        }
    }
    PyBuffer_Release(&payload);
    return good ? Py_NewRef(Py_None) : NULL;
}

/* append() and take(): a record of another version, which Python has framed, or one that is in the
 * file already. */
static PyObject *note(record_log *log, PyObject *arguments, bool is_new)
{
    unsigned int kind;
    unsigned long long value, chain, end = 0;
    Py_buffer record = {0};
    bool good;

    if (is_new ? !PyArg_ParseTuple(arguments, "IKy*K:append", &kind, &value, &record, &chain)
               : !PyArg_ParseTuple(arguments, "IKKK:take", &kind, &value, &end, &chain)) {
        return NULL;
    }
    good = record_log_may_add(log);
    if (good && kind == RECORD_SETTLED && value >= log->index.count) {
        PyErr_SetString(PyExc_IndexError, "there is no such record");
        good = false;
    } else if (good && !record_index_reserve(&log->index, 1)) {
        (void)PyErr_NoMemory();
        good = false;
    }
    if (good && is_new) {
        end = log->index.end + (uint64_t)record.len;
        log->in_use = true;
        good = record_log_write(log, record.buf, (size_t)record.len);
        log->in_use = false;
    }
    if (good) {
        record_index_note(&log->index, kind, value, end, chain);
    }
    PyBuffer_Release(&record);
    return good ? Py_NewRef(Py_None) : NULL;
}

static PyObject *append(PyObject *self, PyObject *arguments)
{
    return note(self_of(self), arguments, true);
}

static PyObject *take(PyObject *self, PyObject *arguments)
{
    return note(self_of(self), arguments, false);
}

static PyObject *scan(PyObject *self, PyObject *size)
{
    uint64_t end = PyLong_AsUnsignedLongLong(size);

    return PyErr_Occurred() == NULL && record_log_scan(self_of(self), end) ? Py_NewRef(Py_None)
                                                                           : NULL;
}

/* Bytes of records in memory. */
static PyObject *from_memory(const record_log *log, uint64_t offset, uint64_t size)
{
    uint64_t end = log->index.end;

    offset = offset < end ? offset : end;
    size = size < end - offset ? size : end - offset;
    return PyBytes_FromStringAndSize(size == 0 ? NULL : (const char *)log->room + offset,
                                     (Py_ssize_t)size);
}

static bool is_open(const record_log *log)
{
    bool open = log->file == NULL || log->handle != -1;

    if (!open) {
        PyErr_SetString(PyExc_ValueError, "the journal is closed");
    }
    return open;
}

static PyObject *from_file(const record_file *file, uint64_t offset, size_t size)
{
    PyObject *whole = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    PyObject *part = NULL;
    size_t got = 0;

    if (whole != NULL &&
        record_file_read_at_once(file, offset, PyBytes_AsString(whole), size, &got)) {
        part = got == size ? Py_NewRef(whole)
                           : PyBytes_FromStringAndSize(PyBytes_AsString(whole), (Py_ssize_t)got);
    }
    Py_XDECREF(whole);
    return part;
}

static PyObject *read_bytes(PyObject *self, PyObject *arguments)
{
    const record_log *log = self_of(self);
    unsigned long long offset, size;

    if (!PyArg_ParseTuple(arguments, "KK:read", &offset, &size)) {
        return NULL;
    }
    if (size > (unsigned long long)PY_SSIZE_T_MAX) {
        return PyErr_NoMemory();
    }
    if (!is_open(log)) {
        return NULL;
    }
    return log->file == NULL ? from_memory(log, offset, size)
                             : from_file(&log->handle, offset, (size_t)size);
}

/* Takes an index of a write. False: an exception is set. */
static bool index_of(PyObject *self, PyObject *number, size_t *index)
{
    *index = PyLong_AsSize_t(number);
    if (PyErr_Occurred() == NULL && *index >= self_of(self)->index.count) {
        PyErr_SetString(PyExc_IndexError, "there is no such record");
    }
    return PyErr_Occurred() == NULL;
}

/* Returns these bytes of the log or its file, all of them. NULL: an exception is set, EOFError if
 * there are fewer. */
static PyObject *part_of(const record_log *log, const record_file *file, uint64_t offset,
                         uint64_t size)
{
    PyObject *part =
        log->file == NULL ? from_memory(log, offset, size) : from_file(file, offset, (size_t)size);

    if (part != NULL && (uint64_t)PyBytes_Size(part) < size) {
        Py_CLEAR(part);
        PyErr_SetString(PyExc_EOFError, "the file became shorter");
    }
    return part;
}

static uint64_t least_of(const unsigned char *addresses, uint64_t count)
{
    uint64_t least = count == 0 ? 0 : UINT64_MAX;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t each;

        memcpy(&each, addresses + i * 8, sizeof each);
        least = each < least ? each : least;
    }
    return least;
}

/* What stands before the contents of a write in its record. */
typedef struct write_head {
    uint32_t kind, unit;
    uint64_t payload;
    uint64_t first; /* the address, or the number of addresses */
} write_head;

/* Reads that. False: an exception is set. */
static bool read_head(const record_log *log, const record_file *file, uint64_t offset,
                      unsigned head_size, write_head *head)
{
    PyObject *bytes = part_of(log, file, offset, (uint64_t)head_size + 8);
    bool good = bytes != NULL;

    if (good) {
        const char *data = PyBytes_AsString(bytes);

        memcpy(&head->kind, data, 4);
        memcpy(&head->unit, data + 4, 4);
        memcpy(&head->payload, data + 16, 8);
        memcpy(&head->first, data + head_size, 8);
        good = head->payload >= 8 && head->payload <= RECORD_LONGEST && head->unit > 0 &&
               head->unit <= 8;
        if ((head->kind & ~RECORD_JOINED) == RECORD_SCATTERED) {
            good = good && head->first <= RECORD_LONGEST / 8 &&
                   head->payload == 8 + head->first * (8 + 2 * (uint64_t)head->unit);
        }
        if (!good) { /* it was checked before: somebody else has written to the file */
            PyErr_SetString(PyExc_EOFError, "the record has changed");
        }
    }
    Py_XDECREF(bytes);
    return good;
}

/* Returns whether the record of the present version is still as it was written: checksums chain it
 * to what is before it. False: an exception is set. */
static bool check_again(const record_log *log, const record_file *file, uint64_t offset,
                        uint64_t payload)
{
    size_t size = record_frame_size((size_t)payload);
    PyObject *bytes = part_of(log, file, offset - RECORD_TAIL, RECORD_TAIL + (uint64_t)size);
    bool good = bytes != NULL;

    if (good) {
        const unsigned char *before = (const unsigned char *)PyBytes_AsString(bytes);
        const unsigned char *frame = before + RECORD_TAIL;
        record_view view;
        uint64_t chain, number;

        memcpy(&chain, before, sizeof chain);
        memcpy(&number, frame + 8, sizeof number);
        good =
            record_frame_measure(frame, number, chain) == size && record_frame_view(frame, &view);
        if (!good) {
            PyErr_SetString(PyExc_EOFError, "the record has changed");
        }
    }
    Py_XDECREF(bytes);
    return good;
}

static PyObject *load(PyObject *self, PyObject *arguments)
{
    const record_log *log = self_of(self);
    const record_file *file = &log->handle;
    PyObject *number, *addresses = NULL, *old = NULL, *fresh = NULL, *result = NULL;
    Py_ssize_t handle = -1;
    record_file again;
    unsigned int head_size;
    write_head head;
    uint64_t offset, size, lowest;
    size_t index;

    if (!PyArg_ParseTuple(arguments, "OI|n:load", &number, &head_size, &handle) ||
        !index_of(self, number, &index)) {
        return NULL;
    }
    if (head_size < 24 || head_size > RECORD_HEAD) {
        PyErr_SetString(PyExc_ValueError, "no record has such a head");
        return NULL;
    }
    again = (record_file)handle;
    if (handle != -1) {
        file = &again;
    } else if (!is_open(log)) {
        return NULL;
    }
    offset = log->index.entries[index].offset;
    if (!read_head(log, file, offset, head_size, &head) ||
        (handle != -1 && !check_again(log, file, offset, head.payload))) {
        return NULL;
    }
    offset += head_size + 8;
    if ((head.kind & ~RECORD_JOINED) == RECORD_SCATTERED) {
        size = head.first * head.unit;
        addresses = part_of(log, file, offset, head.first * 8);
        lowest = addresses == NULL
                     ? 0
                     : least_of((const unsigned char *)PyBytes_AsString(addresses), head.first);
        offset += head.first * 8;
    } else {
        size = (head.payload - 8) / 2;
        lowest = head.first;
        addresses = Py_NewRef(Py_None);
    }
    old = addresses == NULL ? NULL : part_of(log, file, offset, size);
    fresh = old == NULL ? NULL : part_of(log, file, offset + size, size);
    if (fresh != NULL) {
        result = Py_BuildValue("KOOIO", (unsigned long long)lowest, old, fresh,
                               (unsigned int)head.unit, addresses);
    }
    Py_XDECREF(addresses);
    Py_XDECREF(old);
    Py_XDECREF(fresh);
    return result;
}

static PyObject *is_cut(PyObject *self, PyObject *number)
{
    size_t index;

    return index_of(self, number, &index)
               ? PyBool_FromLong(record_index_is_cut(&self_of(self)->index, index))
               : NULL;
}

static PyObject *is_settled(PyObject *self, PyObject *number)
{
    size_t index;

    return index_of(self, number, &index)
               ? PyBool_FromLong(record_index_is_settled(&self_of(self)->index, index))
               : NULL;
}

static PyObject *move_to(PyObject *self, PyObject *arguments)
{
    record_log *log = self_of(self);
    PyObject *file;
    Py_ssize_t handle;

    if (!PyArg_ParseTuple(arguments, "On:move_to", &file, &handle)) {
        return NULL;
    }
    if (log->file != NULL || log->in_use) {
        PyErr_SetString(PyExc_RuntimeError, "the records are not in memory, or one is being added");
        return NULL;
    }
    log->in_use = true;
    if (record_file_write((record_file)handle, 0, log->room, (size_t)log->index.end)) {
        log->file = Py_NewRef(file);
        log->handle = (record_file)handle;
    }
    log->in_use = false;
    return log->file != NULL ? Py_NewRef(Py_None) : NULL;
}

static PyObject *close_now(PyObject *self, PyObject *unused)
{
    record_log *log = self_of(self);

    (void)unused;
    if (log->in_use) {
        PyErr_SetString(PyExc_RuntimeError, "a record is being added");
        return NULL;
    }
    log->handle = -1;
    if (log->file != NULL) { /* what is left of the log is where its records are */
        free(log->room);
        log->room = NULL;
        log->room_size = 0;
    }
    return log->file == NULL ? Py_NewRef(Py_None) : PyObject_CallMethod(log->file, "close", NULL);
}

/* Other threads can read the records while the session adds to them. add() locks where that
 * matters. */
LOCKED_METHOD(start)
LOCKED_METHOD(append)
LOCKED_METHOD(take)
LOCKED_METHOD(scan)
LOCKED_METHOD(read_bytes)
LOCKED_METHOD(load)
LOCKED_METHOD(is_cut)
LOCKED_METHOD(is_settled)
LOCKED_METHOD(move_to)
LOCKED_METHOD(close_now)

static PyMethodDef methods[] = {
    {"start", locked_start, METH_VARARGS, PyDoc_STR(DOC_RecordLog_start)},
    {"add", add, METH_VARARGS, PyDoc_STR(DOC_RecordLog_add)},
    {"append", locked_append, METH_VARARGS, PyDoc_STR(DOC_RecordLog_append)},
    {"take", locked_take, METH_VARARGS, PyDoc_STR(DOC_RecordLog_take)},
    {"scan", locked_scan, METH_O, PyDoc_STR(DOC_RecordLog_scan)},
    {"read", locked_read_bytes, METH_VARARGS, PyDoc_STR(DOC_RecordLog_read)},
    {"load", locked_load, METH_VARARGS, PyDoc_STR(DOC_RecordLog_load)},
    {"is_cut", locked_is_cut, METH_O, PyDoc_STR(DOC_RecordLog_is_cut)},
    {"is_settled", locked_is_settled, METH_O, PyDoc_STR(DOC_RecordLog_is_settled)},
    {"move_to", locked_move_to, METH_VARARGS, PyDoc_STR(DOC_RecordLog_move_to)},
    {"close", locked_close_now, METH_NOARGS, PyDoc_STR(DOC_RecordLog_close)},
    {NULL, NULL, 0, NULL},
};

/* A number of 64 bits, which a 32-bit processor reads in two steps. */
static PyObject *number_at(PyObject *self, void *offset)
{
    uint64_t number;

    OBJECT_LOCK(self);
    memcpy(&number, (const char *)self + (size_t)offset, sizeof number);
    OBJECT_UNLOCK(self);
    return PyLong_FromUnsignedLongLong(number);
}

#define NUMBER(name, field)                                                                        \
    {                                                                                              \
        name, number_at, NULL, NULL, (void *)offsetof(record_log, field)                           \
    }

static PyGetSetDef numbers[] = {
    NUMBER("end", index.end),
    NUMBER("number", index.number),
    NUMBER("chain", index.chain),
    NUMBER("recorded_bytes", index.bytes),
    {0},
};

#define MEMBER(name, type, field, flags)                                                           \
    {                                                                                              \
        name, type, offsetof(record_log, field), flags, NULL                                       \
    }

static PyMemberDef members[] = {
    MEMBER("name", T_OBJECT_EX, name, READONLY),
    MEMBER("file", T_OBJECT, file, READONLY),
    MEMBER("first", T_PYSSIZET, index.first, READONLY),
    MEMBER("committed", T_BOOL, index.committed, READONLY),
    MEMBER("undone", T_BOOL, index.undone, READONLY),
    MEMBER("undoing", T_BOOL, index.undoing, READONLY),
    MEMBER("durable", T_BOOL, durable, 0),
    MEMBER("litter", T_BOOL, litter, 0),
    MEMBER("owes_cut", T_BOOL, owes_cut, 0),
    MEMBER("broken", T_OBJECT, broken, 0),
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)create},
    {Py_tp_dealloc, (void *)dealloc},
    {Py_sq_length, (void *)length},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, numbers},
    {Py_tp_doc, PyDoc_STR(DOC_RecordLog)},
    {0, NULL},
};

static PyType_Spec specification = {
    .name = "pydbgwrite._core.RecordLog",
    .basicsize = sizeof(record_log),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool record_log_add_type(PyObject *module)
{
    module_state *state = state_of_module(module);

    state->record_log_type = PyType_FromModuleAndSpec(module, &specification, NULL);
    return state->record_log_type != NULL &&
           PyModule_AddType(module, (PyTypeObject *)state->record_log_type) == 0;
}
