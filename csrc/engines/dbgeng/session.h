/* What the files that open sessions of Microsoft's engine share. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_SESSION_H
#define PYDBGWRITE_ENGINES_DBGENG_SESSION_H

#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "sessions.h"
#include "loading.h"

/* dbgeng.h, as documented in MicrosoftDocs/windows-driver-docs-ddi. */
#define DEBUG_END_ACTIVE_TERMINATE 1u
#define DEBUG_END_ACTIVE_DETACH    2u
#define DEBUG_END_DISCONNECT       4u
#define DEBUG_ENGOPT_INITIAL_BREAK 0x20u

/* How long one slice of a wait may take: then Ctrl-C and the time limit get their turn. */
#define DBGENG_SLICE_MS 50u

/* Note a failure; both give false. */
bool dbgeng_fail(dbgeng_error *error, dbgeng_failure failure);
bool dbgeng_fail_engine(dbgeng_error *error, const char *operation, HRESULT hresult);

/* The process's one session: taken, given back, or lost for good. */
bool dbgeng_claim(dbgeng_error *error);
void dbgeng_unclaim(void);
void dbgeng_lose(void);
bool dbgeng_is_lost(void);

/* A session object without a client, and a client of this thread's own. */
dbgeng_session *dbgeng_session_create(dbgeng_kind kind, dbgeng_error *error);
bool dbgeng_create_client(IDebugClient5 **client, dbgeng_error *error);

/* The system's id of the process that the engine is at; 0 where it can't say. */
uint32_t dbgeng_current_process(IDebugClient5 *client);

/* When a wait began, whether it may go on, and how long its next slice is, in ms. */
typedef struct dbgeng_clock {
    const dbgeng_waiting *waiting;
    uint64_t started_ms;
} dbgeng_clock;

dbgeng_clock dbgeng_clock_start(const dbgeng_waiting *waiting);
uint32_t dbgeng_clock_slice(const dbgeng_clock *clock);
bool dbgeng_clock_goes_on(const dbgeng_clock *clock, dbgeng_error *error);

/* Makes the engine's pointer width that of the target's program; see width.c. `process` may
 * be NULL: then the program's own headers in the target tell. */
bool dbgeng_settle_width(IDebugClient5 *client, HANDLE process, dbgeng_error *error);

/* Has a process ended? NULL: not that anybody knows. */
bool dbgeng_process_ended(HANDLE process);

/* Is the process with this one's id at a process server this very process? Told by its command
 * line, since the server may be on another machine. */
bool dbgeng_is_this_process(IDebugClient5 *client, uint64_t server);

/* Asks a process server something, on a thread of its own: AttachProcess and CreateProcess wait
 * for a server that says nothing, for ever. After DBGENG_TIMEOUT and DBGENG_CANCELLED the thread
 * stays until the engine has come back; until then every opening fails with DBGENG_BUSY. */
bool dbgeng_server_answers(uint64_t server, const dbgeng_waiting *waiting, dbgeng_error *error);

/* Does an HRESULT say that a server no longer answers? */
bool dbgeng_server_lost(HRESULT status);

/* Is the target there, and its server? `process` is NULL where it is not one of this machine, or
 * there was no right to ask; `client` may be NULL too, and is asked then. See presence.c. */
backing_gone dbgeng_gone(IDebugClient5 *client, HANDLE process);

/* Lets the thread of a kernel's or a dump's session end; see open_on_thread.c. */
void dbgeng_job_end(struct dbgeng_job *job);

#endif
