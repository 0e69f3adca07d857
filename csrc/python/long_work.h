/* Long work as Python sees it: the GIL, Ctrl-C, progress callbacks, and the data in its errors. */
#ifndef PYDBGWRITE_PYTHON_LONG_WORK_H
#define PYDBGWRITE_PYTHON_LONG_WORK_H

#include "python.h"

#include <stdbool.h>

#include "../core/error.h"
#include "../core/pace.h"
#include "session.h"

typedef struct long_work {
    core_pace pace;
    const session_object *session;
    PyObject *progress; /* borrowed, or NULL */
    bool released;
    uint64_t reported; /* elements at the last progress call */
    bool quiet;        /* steps handle Ctrl-C and do not call progress */
    bool raised;
} long_work;

/* Prepares a pace for a request that moves elements of `width` bytes. */
void long_work_prepare(long_work *work, const session_object *session, PyObject *progress,
                       uint32_t width);

/* Around the core's calls: releases the GIL for `bytes` of work if that pays, and takes it back.
 * Once is enough for either. */
void long_work_begin(long_work *work, const session_object *session, uint64_t bytes);
void long_work_end(long_work *work);

/* After the core's call: true if all went well and progress (if any) was called for the end.
 * Otherwise an exception is set; if `writes`, it carries the number written. */
bool long_work_finish(long_work *work, const session_object *session, const core_error *error,
                      bool writes);

#endif
