/* Reading and writing a file at a place, on each system. */
#ifndef PYDBGWRITE_PYTHON_RECORD_FILE_H
#define PYDBGWRITE_PYTHON_RECORD_FILE_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

/* A file descriptor; on Windows a handle. */
typedef intptr_t record_file;

/* Write and read all bytes at that offset; the GIL is released meanwhile. False: an exception is
 * set, OSError or that of a signal's handler. A read past the end of the file gets fewer bytes: the
 * number that it got is in *got. */
bool record_file_write(record_file file, uint64_t at, const void *data, size_t size);
bool record_file_read(record_file file, uint64_t at, void *data, size_t size, size_t *got);

/* As that, for a file that another thread may close: the GIL is kept. Without it the number could
 * be another file's by now. On Windows, a read would even move the place at which that one is
 * written next. */
bool record_file_read_at_once(const record_file *file, uint64_t at, void *data, size_t size,
                              size_t *got);

/* Bytes that another thread writes. */
typedef struct record_file_job record_file_job;
struct record_file_job {
    const record_file_job *before; /* these bytes follow its, and are written only if its were; or
                                    * NULL */
    record_file file;
    uint64_t at;
    const void *data;
    size_t size;
    size_t done; /* bytes written */
    int error;   /* why no more were; 0: the file accepts none */
};

/* Writes them without Python. `job` is a record_file_job. */
void record_file_run(void *job);

/* Returns whether all of them were written. False: an exception is set. */
bool record_file_whole(const record_file_job *job);

#endif
