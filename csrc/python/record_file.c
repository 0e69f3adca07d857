/* Reading and writing a file at a place; see record_file.h. */
#include "record_file.h"

#if defined(_WIN32)
#include <windows.h>

/* Bytes of one call: its size is a DWORD. */
#define MOST_AT_ONCE ((size_t)1 << 30)

/* Moves bytes once. Returns the number, or -1: *error has the reason. */
static Py_ssize_t move_once(record_file file, bool writing, uint64_t at, unsigned char *data,
                            size_t size, int *error)
{
    OVERLAPPED place = {0};
    DWORD moved = 0;
    BOOL good;

    size = size < MOST_AT_ONCE ? size : MOST_AT_ONCE;
    place.Offset = (DWORD)(at & MAXDWORD);
    place.OffsetHigh = (DWORD)(at >> 32);
    good = writing ? WriteFile((HANDLE)file, data, (DWORD)size, &moved, &place)
                   : ReadFile((HANDLE)file, data, (DWORD)size, &moved, &place);
    if (!good) {
        *error = (int)GetLastError();
        good = !writing && *error == ERROR_HANDLE_EOF;
    }
    return good ? (Py_ssize_t)moved : -1;
}

static bool is_interrupted(int error)
{
    (void)error;
    return false;
}

static void set_error(int error)
{
    (void)PyErr_SetFromWindowsErr(error);
}
#else
#include <errno.h>
#include <unistd.h>

/* Reads by pread(2): a forked child has the position of an open file in common with its parent, and
 * must not move it under an append of the parent's. Writes do without pwrite(2), which a filter of
 * system calls can refuse. */
static Py_ssize_t move_once(record_file file, bool writing, uint64_t at, unsigned char *data,
                            size_t size, int *error)
{
    ssize_t moved;

    if (!writing) {
        moved = pread((int)file, data, size, (off_t)at);
    } else if (lseek((int)file, (off_t)at, SEEK_SET) < 0) {
        moved = -1;
    } else {
        moved = write((int)file, data, size);
    }
    *error = errno;
    return moved;
}

static bool is_interrupted(int error)
{
    return error == EINTR;
}

static void set_error(int error)
{
    errno = error;
    (void)PyErr_SetFromErrno(PyExc_OSError);
}
#endif

/* `file` is asked for each time: a signal's handler can close it. */
static bool move(const record_file *file, bool writing, bool keep_gil, uint64_t at,
                 unsigned char *data, size_t size, size_t *done)
{
    Py_ssize_t moved = 1;
    bool good = true;

    *done = 0;
    while (good && moved != 0 && *done < size) {
        int error = 0;
        PyThreadState *released = keep_gil ? NULL : PyEval_SaveThread();

        moved = move_once(*file, writing, at + *done, data + *done, size - *done, &error);
        if (released != NULL) {
            PyEval_RestoreThread(released);
        }
        if (moved > 0) {
            *done += (size_t)moved;
        } else if (moved < 0 && is_interrupted(error)) {
            good = PyErr_CheckSignals() == 0;
        } else if (moved < 0) {
            set_error(error);
            good = false;
        }
    }
    return good;
}

void record_file_run(void *job)
{
    record_file_job *self = job;
    unsigned char *data = (unsigned char *)(uintptr_t)self->data;
    Py_ssize_t moved = self->before == NULL || self->before->done == self->before->size ? 1 : 0;

    self->done = 0;
    self->error = 0;
    while (moved > 0 && self->done < self->size) {
        moved = move_once(self->file, true, self->at + self->done, data + self->done,
                          self->size - self->done, &self->error);
        if (moved > 0) {
            self->done += (size_t)moved;
            self->error = 0;
        } else if (moved < 0 && is_interrupted(self->error)) { /* no handler runs in that thread */
            moved = 1;
        }
    }
}

static void set_no_more(void)
{
    PyErr_SetString(PyExc_OSError, "the file accepts no more data");
}

bool record_file_whole(const record_file_job *job)
{
    bool good = job->done == job->size;

    if (!good && job->error != 0) {
        set_error(job->error);
    } else if (!good) {
        set_no_more();
    }
    return good;
}

bool record_file_write(record_file file, uint64_t at, const void *data, size_t size)
{
    size_t done;
    bool good = move(&file, true, false, at, (unsigned char *)(uintptr_t)data, size, &done);

    if (good && done < size) {
        set_no_more();
        good = false;
    }
    return good;
}

bool record_file_read(record_file file, uint64_t at, void *data, size_t size, size_t *got)
{
    return move(&file, false, false, at, data, size, got);
}

bool record_file_read_at_once(const record_file *file, uint64_t at, void *data, size_t size,
                              size_t *got)
{
    return move(file, false, true, at, data, size, got);
}
