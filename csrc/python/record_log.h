/* The type _core.RecordLog: the records of a transaction, in memory or in a file.
 *
 * Records are added from C in three steps: room for the payload, which the caller fills; put, which
 * completes the record; and commit, which writes all records that were put and only then counts
 * them. No signal's handler runs while a record is counted, so file and index always agree.
 */
#ifndef PYDBGWRITE_PYTHON_RECORD_LOG_H
#define PYDBGWRITE_PYTHON_RECORD_LOG_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

#include "../base/record_index.h"
#include "record_file.h"
#include "state.h"

/* Records of a transaction without a journal are in memory up to this size, and beyond it in a
 * temporary file. A million pointers, old and new, fit. Exported. */
#define RECORDS_IN_MEMORY (UINT64_C(24) << 20)

/* The most records of one commit, and the most bytes of those that share a sync. */
#define MOST_PENDING 32u
#define GROUP_BYTES  ((size_t)16 << 20)

/* A complete record that is not in the file yet. */
typedef struct pending_record {
    uint32_t kind;
    size_t size;
    uint64_t value;
    uint64_t chain;
} pending_record;

typedef struct record_log {
    PyObject_HEAD record_index index; /* of the committed records */
    PyObject *name;
    PyObject *file; /* NULL: all records are in `room`, from its beginning on */
    record_file handle;
    PyObject *broken; /* a str: why nothing can be added any more; or NULL */
    unsigned char *room;
    size_t room_size;
    size_t slot;      /* where in `room` the next records of a file begin */
    size_t slot_size; /* so many bytes of them have room there, and in another slot */
    pending_record pending[MOST_PENDING];
    size_t flying_count, flying_size;   /* the leading ones, which another thread writes */
    size_t pending_count, pending_size; /* those behind */
    bool sealed;                        /* records have checksums */
    bool durable;                       /* each commit is synced to the disk */
    bool litter;   /* the file can hold parts of a commit that did not finish */
    bool owes_cut; /* the next record is preceded by the mark that the last one was cut short */
    bool in_use;   /* from the first room to the commit */
} record_log;

/* Returns the log if the object is one, or NULL. */
static inline record_log *record_log_of(const module_state *state, PyObject *object)
{
    bool is_log = object != NULL && (PyObject *)Py_TYPE(object) == state->record_log_type;

    return is_log ? (record_log *)(void *)object : NULL;
}

/* Returns memory for the payload of another record, aligned for numbers of 64 bits; it is valid
 * until the commit. NULL: an exception is set, and nothing can be added. */
unsigned char *record_log_room(record_log *log, size_t payload);

/* Returns whether so many such records can be put before one commit, and makes room for them, where
 * they then stay: if all that is in memory is no more than RECORDS_IN_MEMORY. Sets no exception. */
bool record_log_keeps(record_log *log, size_t records, size_t payload);

/* Returns whether the log syncs its file, and has room for another such record before the next
 * commit. */
bool record_log_groups(const record_log *log, size_t payload);

/* Completes the record whose payload is in the room. `bytes` is the size of its write in the
 * target. */
void record_log_put(record_log *log, uint32_t kind, uint32_t unit, size_t payload, uint64_t bytes);

/* Writes what was put, and syncs it if the log does. False: an exception is set, and nothing of it
 * counts. */
bool record_log_commit(record_log *log);

/* The same in two steps, for records of which more are put meanwhile: `job` is the writing itself,
 * which another thread can do in between. It writes nothing if the job `before`, which is under way
 * or NULL, has failed: else a record could follow one that is not whole. To be begun after
 * record_log_split(), which makes room for two such records, under way or put; the file is not
 * synced. False: an exception is set. */
bool record_log_split(record_log *log, size_t payload);
bool record_log_begin(record_log *log, const record_file_job *before, record_file_job *job);
bool record_log_end(record_log *log, const record_file_job *job);

/* Forgets what was not committed. */
void record_log_drop(record_log *log);

/* The parts of the three steps that records from elsewhere use: whether something can be added now,
 * and writing it behind the last record. False: an exception is set. */
bool record_log_may_add(const record_log *log);
bool record_log_write(record_log *log, const void *data, size_t size);

#endif
