/* Connections to other processes' engines; see open_remote.h. */
#include "open_remote.h"

#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "claim.h"
#include "loading.h"
#include "presence.h"
#include "width.h"

/* dbgeng.h */
#define DEBUG_CONNECT_SESSION_NO_VERSION  1u
#define DEBUG_CONNECT_SESSION_NO_ANNOUNCE 2u

static void connect_work(dbgeng_job *job)
{
    void *client = NULL;

    job->operation = "DebugConnectWide";
    job->status = dbgeng_loaded()->connect(job->options, &iid_debug_client5, &client);
    job->client = client;
    if (job->status == S_OK) {
        job->operation = "ConnectSession";
        job->status = job->client->lpVtbl->ConnectSession(
            job->client, DEBUG_CONNECT_SESSION_NO_VERSION | DEBUG_CONNECT_SESSION_NO_ANNOUNCE, 0);
    }
}

static void connect_undo(dbgeng_job *job, bool wanted)
{
    if (job->client != NULL) {
        if (!wanted) {
            (void)job->client->lpVtbl->EndSession(job->client, DEBUG_END_DISCONNECT);
        }
        (void)job->client->lpVtbl->Release(job->client);
    }
}

/* Creates a client for this thread on the connection that the job made. "CreateClient" is one of
 * the few methods that any thread may call (using-client-objects.md). */
static bool take_over(dbgeng_session *self, dbgeng_job *job, dbgeng_error *error)
{
    void *made = NULL, *client = NULL;
    HRESULT status = job->client->lpVtbl->CreateClient(job->client, &made);

    if (status == S_OK) {
        IDebugClient5 *first = made;

        status = first->lpVtbl->QueryInterface(first, &iid_debug_client5, &client);
        (void)first->lpVtbl->Release(first);
        self->client = client;
    }
    return status == S_OK ? true : dbgeng_fail_engine(error, "CreateClient", status);
}

dbgeng_session *dbgeng_connect(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error)
{
    dbgeng_session *self = NULL;
    dbgeng_job *job = NULL;
    bool good = false;

    if (dbgeng_is_lost()) {
        (void)dbgeng_fail(error, DBGENG_LOST);
        return NULL;
    }
    if (dbgeng_loaded()->connect == NULL) {
        (void)dbgeng_fail_engine(error, "DebugConnectWide", E_NOTIMPL);
        return NULL;
    }
    self = dbgeng_session_create(DBGENG_REMOTE, error);
    if (self == NULL) {
        return NULL;
    }
    job = dbgeng_job_start(options, connect_work, connect_undo, error);
    if (job != NULL) {
        good = dbgeng_job_wait(job, waiting, error) && take_over(self, job, error);
        dbgeng_job_finish(job, good);
    }
    if (good && !dbgeng_settle_width(self->client, NULL, error)) {
        good = error->hresult == E_UNEXPECTED ? dbgeng_fail(error, DBGENG_NO_TARGET) : false;
    }
    if (good) {
        self->process_id = dbgeng_current_process(self->client);
    } else {
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
    return self;
}
