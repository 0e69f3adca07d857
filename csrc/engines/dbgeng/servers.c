/* Process servers, and being a server; see servers.h. */
#include "servers.h"

#include <stdio.h>
#include <wchar.h>

#include "../../base/atomics.h"
#include "../../com/control.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "claim.h"
#include "job.h"
#include "presence.h"

/* dbgeng.h */
#define DEBUG_OUTCTL_IGNORE      3u
#define DEBUG_EXECUTE_NOT_LOGGED 2u

/* No path, services, packages, command line, session and user. */
#define DEBUG_PROC_DESC_NAME_ALONE 0x3Fu

#define SERVER_NUMBERS 256u

/* True if this process has started a server that was not ended. */
static atomic_i32 serving;

/* Questions to process servers whose callers have given up waiting. */
static atomic_i32 unanswered;

/* -- Being a server
 * -------------------------------------------------------------------------------- */

HRESULT dbgeng_start_server(IDebugClient5 *client, const wchar_t *options)
{
    HRESULT status = client->lpVtbl->StartServerWide(client, options);

    if (status == S_OK) {
        atomic_i32_store(&serving, 1);
    }
    return status;
}

/* The engine has no call that ends a server, and a started server outlives even its session. The
 * command that ends one (".endsrv", MicrosoftDocs/windows-driver-docs) takes a number that no call
 * reports. Servers and their clients get these numbers in turn from 0, and ending an unused number
 * does nothing. The socket itself closes at the next connection attempt, which is refused. */
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
    bool good;

    if (dbgeng_is_lost()) {
        (void)dbgeng_fail(error, DBGENG_LOST);
        return 0;
    }
    job = dbgeng_job_start(options, server_work, server_undo, error);
    if (job == NULL) {
        return 0;
    }
    good = dbgeng_job_wait(job, waiting, error);
    server = good ? job->server : 0;
    dbgeng_job_finish(job, good);
    return server;
}

/* Asks a server one question; any answer will do. */
static void ask_work(dbgeng_job *job)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};

    job->operation = "GetRunningProcessDescriptionWide";
    if (dbgeng_create_client(&job->client, &error)) {
        (void)dbgeng_is_this_process(job->client, _wcstoui64(job->options, NULL, 10));
    } else {
        job->operation = error.operation;
        job->status = error.hresult;
    }
}

static void ask_undo(dbgeng_job *job, bool wanted)
{
    (void)wanted;
    if (job->client != NULL) {
        (void)job->client->lpVtbl->Release(job->client);
    }
    if (atomic_i32_load(&job->unclaims) != 0) {
        (void)atomic_i32_add(&unanswered, -1);
        dbgeng_unclaim();
    }
}

bool dbgeng_server_answers(uint64_t server, const dbgeng_waiting *waiting, dbgeng_error *error)
{
    dbgeng_job *job = NULL;
    wchar_t number[24];
    bool good;

    if (!dbgeng_claim(error)) {
        return false;
    }
    (void)swprintf(number, sizeof number / sizeof number[0], L"%llu", (unsigned long long)server);
    job = dbgeng_job_start(number, ask_work, ask_undo, error);
    good = job != NULL && dbgeng_job_wait(job, waiting, error);
    if (!good && job != NULL &&
        (error->failure == DBGENG_TIMEOUT || error->failure == DBGENG_CANCELLED)) {
        (void)atomic_i32_add(&unanswered, 1);
        atomic_i32_store(&job->unclaims, 1);
    } else {
        dbgeng_unclaim();
    }
    if (job != NULL) {
        dbgeng_job_undo(job);
    }
    return good;
}

/* A client of its own for a question, which a session of this process does not need to end for. */
static HRESULT client_for_question(IDebugClient5 **client)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};

    return dbgeng_create_client(client, &error) ? S_OK : error.hresult;
}

HRESULT dbgeng_running_ids(uint64_t server, ULONG *ids, ULONG room, ULONG *count)
{
    IDebugClient5 *client = NULL;
    HRESULT status = client_for_question(&client);

    if (status == S_OK) {
        status = client->lpVtbl->GetRunningProcessSystemIds(client, server, ids, room, count);
        (void)client->lpVtbl->Release(client);
    }
    return status;
}

HRESULT dbgeng_running_program(uint64_t server, uint32_t process_id, wchar_t *program, ULONG size)
{
    IDebugClient5 *client = NULL;
    HRESULT status = client_for_question(&client);
    ULONG needed = 0, none = 0;

    program[0] = L'\0';
    if (status == S_OK) {
        status = client->lpVtbl->GetRunningProcessDescriptionWide(
            client, server, process_id, DEBUG_PROC_DESC_NAME_ALONE, program, size, &needed, NULL, 0,
            &none);
        (void)client->lpVtbl->Release(client);
        program[size - 1] = L'\0';
    }
    return status;
}

HRESULT dbgeng_disconnect_server(uint64_t server)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    IDebugClient5 *client = NULL;
    HRESULT status = S_OK;

    if (atomic_i32_load(&unanswered) != 0) {
        status = S_OK; /* the engine waits for a server, and this call would wait too */
    } else if (dbgeng_create_client(&client, &error)) {
        status = client->lpVtbl->DisconnectProcessServer(client, server);
        (void)client->lpVtbl->Release(client);
    } else {
        status = error.hresult;
    }
    return status;
}
