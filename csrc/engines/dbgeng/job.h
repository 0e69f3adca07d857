/* An engine call that may never return, on a separate thread.
 *
 * Meanwhile the opening thread checks the clock and Ctrl-C. A thread that is given up ends by
 * itself when its call returns, and undoes the call's result.
 */
#ifndef PYDBGWRITE_ENGINES_DBGENG_JOB_H
#define PYDBGWRITE_ENGINES_DBGENG_JOB_H

#include "../../base/atomics.h"
#include "../../com/client.h"
#include "waiting.h"

typedef struct dbgeng_job {
    atomic_i32 references; /* held by its thread and by the opening one */
    void (*work)(struct dbgeng_job *job);
    void (*undo)(struct dbgeng_job *job, bool wanted); /* the last call of the thread */
    HANDLE thread;
    HANDLE done;         /* set after work() */
    HANDLE over;         /* set when the other side no longer needs the thread */
    atomic_i32 wanted;   /* 1: the other side took the result */
    atomic_i32 unclaims; /* 1: undo() gives back the process's one session */
    const char *operation;
    HRESULT status;
    IDebugClient5 *client;
    ULONG64 server;
    wchar_t options[1]; /* as long as the text */
} dbgeng_job;

/* Starts a thread with a copy of `options`; the caller has one reference. NULL: *error. */
dbgeng_job *dbgeng_job_start(const wchar_t *options, void (*work)(dbgeng_job *),
                             void (*undo)(dbgeng_job *, bool), dbgeng_error *error);

/* Waits for work() to be done; then its status counts. */
bool dbgeng_job_wait(dbgeng_job *job, const dbgeng_waiting *waiting, dbgeng_error *error);

/* Both let the thread end, and end the caller's reference. The first reports whether the result was
 * taken. With the second, the result has been undone on return, unless the thread still waits. */
void dbgeng_job_finish(dbgeng_job *job, bool wanted);
void dbgeng_job_undo(dbgeng_job *job);

#endif
