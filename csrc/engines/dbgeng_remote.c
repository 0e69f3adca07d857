/* Openings that may take for ever: connections, and kernels. They wait on a thread of their own.
 *
 * The calls that connect (DebugConnectWide, ConnectProcessServerWide) block in the network, and a
 * kernel's WaitForEvent takes no limit but INFINITE (idebugcontrol-waitforevent). The opening
 * thread looks at the clock and at Ctrl-C meanwhile. A thread that is given up on ends by itself
 * when its call comes back, and undoes what it got.
 */
#include "dbgeng_sessions.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "../com/hresult.h"
#include "../com/iids.h"
#include "../core/atomics.h"
#include "dbgeng_opening.h"

/* dbgeng.h */
#define DEBUG_ATTACH_KERNEL_CONNECTION    0u
#define DEBUG_CONNECT_SESSION_NO_VERSION  1u
#define DEBUG_CONNECT_SESSION_NO_ANNOUNCE 2u

#define DEBUG_OUTCTL_IGNORE      3u
#define DEBUG_EXECUTE_NOT_LOGGED 2u

#define SERVER_NUMBERS 256u

/* Has this process started a server that was not ended? */
static atomic_i32 serving;

typedef struct dbgeng_job {
    atomic_i32 references; /* its thread's, and the opening one's */
    void (*work)(struct dbgeng_job *job);
    void (*undo)(struct dbgeng_job *job, bool wanted); /* the thread's last act */
    HANDLE done;                                       /* set after work() */
    HANDLE over;       /* set when the other side needs the thread no more */
    atomic_i32 wanted; /* 1: the other side took the result */
    const char *operation;
    HRESULT status;
    IDebugClient5 *client;
    ULONG64 server;
    wchar_t options[1]; /* as long as they are */
} dbgeng_job;

static void job_release(dbgeng_job *job)
{
    if (atomic_i32_add(&job->references, -1) == 0) {
        if (job->done != NULL) {
            CloseHandle(job->done);
        }
        if (job->over != NULL) {
            CloseHandle(job->over);
        }
        free(job);
    }
}

static unsigned __stdcall job_thread(void *context)
{
    dbgeng_job *job = context;

    job->work(job);
    (void)SetEvent(job->done);
    (void)WaitForSingleObject(job->over, INFINITE);
    job->undo(job, atomic_i32_load(&job->wanted) != 0);
    job_release(job);
    return 0;
}

/* Starts a thread; the caller has one reference. NULL: *error. */
static dbgeng_job *job_start(const wchar_t *options, void (*work)(dbgeng_job *),
                             void (*undo)(dbgeng_job *, bool), dbgeng_error *error)
{
    size_t length = wcslen(options);
    dbgeng_job *job = calloc(1, sizeof *job + length * sizeof *options);
    uintptr_t thread = 0;

    if (job == NULL) {
        (void)dbgeng_fail_engine(error, "malloc", E_OUTOFMEMORY);
        goto done;
    }
    memcpy(job->options, options, (length + 1) * sizeof *options);
    job->work = work;
    job->undo = undo;
    job->done = CreateEventW(NULL, TRUE, FALSE, NULL);
    job->over = CreateEventW(NULL, TRUE, FALSE, NULL);
    atomic_i32_store(&job->references, 2);
    if (job->done != NULL && job->over != NULL) {
        thread = _beginthreadex(NULL, 0, job_thread, job, 0, NULL);
    }
    if (thread == 0) {
        error->failure = DBGENG_SYSTEM;
        error->operation = "starting a thread";
        error->os_error = GetLastError();
        atomic_i32_store(&job->references, 1);
        job_release(job);
        job = NULL;
    } else {
        CloseHandle((HANDLE)thread);
    }
done:
    return job;
}

/* Waits for work() to be done; then its status counts. */
static bool job_wait(dbgeng_job *job, const dbgeng_waiting *waiting, dbgeng_error *error)
{
    dbgeng_clock clock = dbgeng_clock_start(waiting);
    bool good = true, done = false;

    while (good && !done) {
        done = WaitForSingleObject(job->done, DBGENG_SLICE_MS) == WAIT_OBJECT_0;
        if (!done) {
            good = dbgeng_clock_goes_on(&clock, error);
        }
    }
    if (good && job->status != S_OK) {
        good = dbgeng_fail_engine(error, job->operation, job->status);
    }
    return good;
}

/* The thread may go: its result was taken, or nobody wants it. */
static void job_finish(dbgeng_job *job, bool wanted)
{
    atomic_i32_store(&job->wanted, wanted ? 1 : 0);
    (void)SetEvent(job->over);
    job_release(job);
}

void dbgeng_job_end(struct dbgeng_job *job)
{
    job_finish(job, true);
}

/* -- Connections ---------------------------------------------------------------------------- */

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

/* A client of this thread's own on the connection that the job made. "CreateClient" is one of the
 * few methods that any thread may call (using-client-objects.md). */
static bool take_over(dbgeng_session *self, dbgeng_job *job, dbgeng_error *error)
{
    void *made = NULL, *client = NULL;
    HRESULT status = job->client->lpVtbl->CreateClient(job->client, &made);
    bool good = status == S_OK;

    if (good) {
        IDebugClient5 *first = made;

        status = first->lpVtbl->QueryInterface(first, &iid_debug_client5, &client);
        (void)first->lpVtbl->Release(first);
        self->client = client;
        good = status == S_OK;
    }
    return good ? true : dbgeng_fail_engine(error, "CreateClient", status);
}

dbgeng_session *dbgeng_connect(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error)
{
    dbgeng_session *self = NULL;
    dbgeng_job *job = NULL;
    bool good = true;

    if (dbgeng_is_lost()) {
        good = dbgeng_fail(error, DBGENG_LOST);
    } else if (dbgeng_loaded()->connect == NULL) {
        good = dbgeng_fail_engine(error, "DebugConnectWide", E_NOTIMPL);
    } else {
        self = dbgeng_session_create(DBGENG_REMOTE, error);
        job = self == NULL ? NULL : job_start(options, connect_work, connect_undo, error);
        good = job != NULL && job_wait(job, waiting, error) && take_over(self, job, error);
    }
    if (job != NULL) {
        job_finish(job, good);
    }
    if (good && !dbgeng_settle_width(self->client, NULL, error)) {
        good = error->hresult == E_UNEXPECTED ? dbgeng_fail(error, DBGENG_NO_TARGET) : false;
    }
    if (good) {
        self->process_id = dbgeng_current_process(self->client);
    }
    if (!good && self != NULL) {
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
    return self;
}

/* -- Servers -------------------------------------------------------------------------------- */

HRESULT dbgeng_start_server(IDebugClient5 *client, const wchar_t *options)
{
    HRESULT status = client->lpVtbl->StartServerWide(client, options);

    if (status == S_OK) {
        atomic_i32_store(&serving, 1);
    }
    return status;
}

/* The engine has no call that ends a server, and one that was started outlives even its session.
 * The command that does (".endsrv", MicrosoftDocs/windows-driver-docs) takes a number that no call
 * tells; servers and their clients get them in turn from 0, and ending a number that there is not
 * does nothing. The socket itself closes when the next one knocks, who is not let in. */
HRESULT dbgeng_end_servers(IDebugClient5 *client)
{
    void *found = NULL;
    HRESULT status = S_OK;

    if (atomic_i32_load(&serving) != 0) {
        status = client->lpVtbl->QueryInterface(client, &iid_debug_control, &found);
        if (status == S_OK) {
            IDebugControl *control = found;

            for (unsigned number = 0; status == S_OK && number < SERVER_NUMBERS; number++) {
                char command[32];

                (void)snprintf(command, sizeof command, ".endsrv %u", number);
                status = control->lpVtbl->Execute(control, DEBUG_OUTCTL_IGNORE, command,
                                                  DEBUG_EXECUTE_NOT_LOGGED);
            }
            (void)control->lpVtbl->Release(control);
        }
        if (status == S_OK) {
            atomic_i32_store(&serving, 0);
        }
    }
    return status;
}

/* -- Process servers ------------------------------------------------------------------------ */

static void server_work(dbgeng_job *job)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};

    job->operation = "ConnectProcessServerWide";
    if (dbgeng_create_client(&job->client, &error)) {
        job->status =
            job->client->lpVtbl->ConnectProcessServerWide(job->client, job->options, &job->server);
    } else {
        job->operation = error.operation;
        job->status = error.hresult;
    }
}

static void server_undo(dbgeng_job *job, bool wanted)
{
    if (job->client != NULL) {
        if (!wanted && job->status == S_OK) {
            (void)job->client->lpVtbl->DisconnectProcessServer(job->client, job->server);
        }
        (void)job->client->lpVtbl->Release(job->client);
    }
}

uint64_t dbgeng_connect_server(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error)
{
    dbgeng_job *job = NULL;
    uint64_t server = 0;
    bool good = !dbgeng_is_lost() || dbgeng_fail(error, DBGENG_LOST);

    if (good) {
        job = job_start(options, server_work, server_undo, error);
        good = job != NULL && job_wait(job, waiting, error);
    }
    if (job != NULL) {
        server = good ? job->server : 0;
        job_finish(job, good);
    }
    return server;
}

HRESULT dbgeng_disconnect_server(uint64_t server)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    IDebugClient5 *client = NULL;
    HRESULT status = S_OK;

    if (dbgeng_create_client(&client, &error)) {
        status = client->lpVtbl->DisconnectProcessServer(client, server);
        (void)client->lpVtbl->Release(client);
    } else {
        status = error.hresult;
    }
    return status;
}

/* -- Kernels -------------------------------------------------------------------------------- */

static void kernel_work(dbgeng_job *job)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    void *found = NULL;
    IDebugControl *control = NULL;

    job->operation = "DebugCreate";
    if (!dbgeng_create_client(&job->client, &error)) {
        job->status = error.hresult;
        goto done;
    }
    job->status = job->client->lpVtbl->QueryInterface(job->client, &iid_debug_control, &found);
    if (job->status != S_OK) {
        goto done;
    }
    control = found;
    /* Without it the wait goes on until the kernel has an event of its own. */
    job->operation = "AddEngineOptions";
    job->status = control->lpVtbl->AddEngineOptions(control, DEBUG_ENGOPT_INITIAL_BREAK);
    if (job->status == S_OK) {
        job->operation = "AttachKernelWide";
        job->status = job->client->lpVtbl->AttachKernelWide(
            job->client, DEBUG_ATTACH_KERNEL_CONNECTION, job->options);
    }
    if (job->status == S_OK) {
        job->operation = "WaitForEvent";
        job->status = control->lpVtbl->WaitForEvent(control, 0, INFINITE);
    }
    (void)control->lpVtbl->Release(control);
done:
    return;
}

/* The session's thread lives as long as the session. A kernel that answers when nobody waits for it
 * any more is let go. */
static void kernel_undo(dbgeng_job *job, bool wanted)
{
    if (job->client != NULL) {
        if (!wanted) {
            (void)job->client->lpVtbl->EndSession(job->client, DEBUG_END_ACTIVE_DETACH);
        }
        (void)job->client->lpVtbl->Release(job->client);
    }
}

dbgeng_session *dbgeng_attach_kernel(const wchar_t *options, const dbgeng_waiting *waiting,
                                     dbgeng_error *error)
{
    dbgeng_session *self = NULL;
    bool good = dbgeng_claim(error);

    if (!good) {
        goto done;
    }
    self = dbgeng_session_create(DBGENG_KERNEL, error);
    if (self == NULL) {
        dbgeng_unclaim();
        goto done;
    }
    self->claimed = true;
    self->job = job_start(options, kernel_work, kernel_undo, error);
    good = self->job != NULL && job_wait(self->job, waiting, error);
    if (!good && (error->failure == DBGENG_TIMEOUT || error->failure == DBGENG_CANCELLED)) {
        self->claimed = false;
        dbgeng_lose();
    }
    /* All clients of a process share its session. */
    good = good && dbgeng_create_client(&self->client, error) &&
           dbgeng_settle_width(self->client, NULL, error);
    if (!good) {
        if (self->job != NULL) {
            job_finish(self->job, false);
            self->job = NULL;
        }
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
done:
    return self;
}
