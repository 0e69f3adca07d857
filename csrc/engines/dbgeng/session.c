/* Leaving and freeing every kind of session; see session.h.
 *
 * The meaning of each call: MicrosoftDocs/windows-driver-docs-ddi, wdk-ddi-src/content/dbgeng.
 * Observations: docs/engine.md.
 */
#include "session.h"

#include <stdlib.h>

#include "../../com/hresult.h"
#include "claim.h"
#include "presence.h"
#include "servers.h"

static backing_gone session_gone(const backing *base)
{
    const dbgeng_session *self = (const dbgeng_session *)base;

    return dbgeng_gone(self->client, self->process);
}

/* Keeps the first failure. */
static void note(HRESULT status, const char *method, HRESULT *first, const char **first_method)
{
    if (status != S_OK && *first == S_OK) {
        *first = status;
        *first_method = method;
    }
}

static HRESULT leave(dbgeng_session *self, IDebugClient5 *client, bool terminate,
                     const char **method)
{
    HRESULT status = S_OK;
    bool gone = (terminate || self->kind == DBGENG_PROCESS) &&
                dbgeng_gone(client, self->process) != BACKING_THERE;
    ULONG how = DEBUG_END_ACTIVE_DETACH;

    if (self->kind != DBGENG_REMOTE) {
        (void)dbgeng_end_servers(client);
    }
    if (terminate && self->kind != DBGENG_DUMP) {
        note(client->lpVtbl->TerminateProcesses(client), "TerminateProcesses", &status, method);
        how = DEBUG_END_ACTIVE_TERMINATE;
    } else if (self->kind == DBGENG_PROCESS) {
        note(client->lpVtbl->DetachProcesses(client), "DetachProcesses", &status, method);
    }
    if (self->kind == DBGENG_REMOTE) {
        how = DEBUG_END_DISCONNECT; /* the target belongs to its server */
    }
    note(client->lpVtbl->EndSession(client, how), "EndSession", &status, method);
    /* A target that has ended can't be detached, and need not be. A server that has ended can't be
     * left either. */
    return gone || (self->kind == DBGENG_REMOTE && !terminate) ? S_OK : status;
}

/* A client belongs to its thread. So another thread, which ends a session that its owner has
 * forgotten, makes a separate client; all share the one session. */
static HRESULT session_end(backing *base, bool terminate, bool owner, const char **method)
{
    dbgeng_session *self = (dbgeng_session *)base;
    IDebugClient5 *client = NULL;
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    HRESULT status = S_OK;

    if (self->client == NULL) {
        status = S_OK; /* an opening that failed, or the second call */
    } else if (owner) {
        status = leave(self, self->client, terminate, method);
        (void)self->client->lpVtbl->Release(self->client);
    } else if (self->kind != DBGENG_REMOTE && dbgeng_create_client(&client, &error)) {
        status = leave(self, client, terminate, method);
        (void)client->lpVtbl->Release(client);
    }
    self->client = NULL;
    if (self->job != NULL) {
        dbgeng_job_finish(self->job, true);
        self->job = NULL;
    }
    if (self->claimed) {
        self->claimed = false;
        dbgeng_unclaim();
    }
    return status;
}

static void session_destroy(backing *base)
{
    dbgeng_session *self = (dbgeng_session *)base;
    const char *method = NULL;

    (void)session_end(base, false, true, &method);
    if (self->process != NULL) {
        CloseHandle(self->process);
    }
    free(self);
}

static const backing_operations operations = {session_end, session_gone, session_destroy};

dbgeng_session *dbgeng_session_create(dbgeng_kind kind, dbgeng_error *error)
{
    dbgeng_session *self = calloc(1, sizeof *self);

    if (self == NULL) {
        (void)dbgeng_fail_engine(error, "malloc", E_OUTOFMEMORY);
        return NULL;
    }
    self->base.operations = &operations;
    self->kind = kind;
    self->claimed = kind != DBGENG_REMOTE && dbgeng_claim(error);
    if (kind != DBGENG_REMOTE && !self->claimed) {
        free(self);
        self = NULL;
    }
    return self;
}
