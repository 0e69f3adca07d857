/* A session of Microsoft's engine: its fields, and the functions that leave and free it.
 *
 * The thread that opens it owns it.
 */
#ifndef PYDBGWRITE_ENGINES_DBGENG_SESSION_H
#define PYDBGWRITE_ENGINES_DBGENG_SESSION_H

#include "../../com/client.h"
#include "../backing.h"
#include "job.h"
#include "waiting.h"

typedef enum dbgeng_kind {
    DBGENG_PROCESS,
    DBGENG_DUMP,
    DBGENG_KERNEL,
    DBGENG_REMOTE, /* a client of another process's engine */
} dbgeng_kind;

typedef struct dbgeng_session {
    backing base;
    dbgeng_kind kind;
    IDebugClient5 *client; /* a separate reference */
    uint32_t process_id;   /* 0 if there is none, or it is not known */
    HANDLE process;        /* a local process; NULL: none, or no right to ask */
    bool claimed;          /* it is the process's one session */
    dbgeng_job *job;       /* the thread that opened a kernel or a dump */
} dbgeng_session;

/* A session without a client, which has the process's one session unless it is DBGENG_REMOTE;
 * base.operations leave and free it. NULL: *error. */
dbgeng_session *dbgeng_session_create(dbgeng_kind kind, dbgeng_error *error);

#endif
