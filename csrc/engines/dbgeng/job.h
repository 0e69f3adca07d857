/* A call of the engine's that may take for ever, on a thread of its own.
 *
 * The opening thread looks at the clock and at Ctrl-C meanwhile. A thread that is given up on ends
 * by itself when its call comes back, and undoes what it got.
 */
#ifndef PYDBGWRITE_ENGINES_DBGENG_JOB_H
#define PYDBGWRITE_ENGINES_DBGENG_JOB_H

#include "../../base/atomics.h"
#include "../../com/client.h"
#include "waiting.h"

typedef struct dbgeng_job {
    atomic_i32 references; /* its thread's, and the opening one's */
    void (*work)(struct dbgeng_job *job);
    void (*undo)(struct dbgeng_job *job, bool wanted); /* the thread's last act */
    HANDLE thread;
    HANDLE done;         /* set after work() */
    HANDLE over;         /* set when the other side needs the thread no more */
    atomic_i32 wanted;   /* 1: the other side took the result */
    atomic_i32 unclaims; /* 1: undo() gives back the process's one session */
    const char *operation;
    HRESULT status;
    IDebugClient5 *client;
    ULONG64 server;
    wchar_t options[1]; /* as long as they are */
} dbgeng_job;

/* Starts a thread with a copy of `options`; the caller has one reference. NULL: *error. */
dbgeng_job *dbgeng_job_start(const wchar_t *options, void (*work)(dbgeng_job *),
                             void (*undo)(dbgeng_job *, bool), dbgeng_error *error);

/* Waits for work() to be done; then its status counts. */
bool dbgeng_job_wait(dbgeng_job *job, const dbgeng_waiting *waiting, dbgeng_error *error);

/* The thread may go: its result was taken, or nobody wants it. Both end the caller's reference;
 * with the second, what the thread got has been undone on return, unless it still waits. */
void dbgeng_job_finish(dbgeng_job *job, bool wanted);
void dbgeng_job_undo(dbgeng_job *job);

#endif
