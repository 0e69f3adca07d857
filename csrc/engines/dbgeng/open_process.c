/* Opening processes with Microsoft's engine.
 *
 * The meaning of each call: MicrosoftDocs/windows-driver-docs-ddi, wdk-ddi-src/content/dbgeng.
 * Observations: docs/engine.md.
 */
#include "open_process.h"

#include "../../com/control.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "claim.h"
#include "presence.h"
#include "servers.h"
#include "width.h"

/* dbgeng.h. */
#define DEBUG_ATTACH_DEFAULT                  0u
#define DEBUG_ATTACH_NONINVASIVE              1u
#define DEBUG_ATTACH_NONINVASIVE_NO_SUSPEND   4u
#define DEBUG_PROCESS_DETACH_ON_EXIT          1u
#define DEBUG_ECREATE_PROCESS_INHERIT_HANDLES 1u

typedef struct DEBUG_CREATE_PROCESS_OPTIONS {
    ULONG CreateFlags;
    ULONG EngCreateFlags;
    ULONG VerifierFlags;
    ULONG Reserved;
} DEBUG_CREATE_PROCESS_OPTIONS;

/* Begins a session with a client; `server` is 0 or answers in time. */
static dbgeng_session *begin(uint64_t server, const dbgeng_waiting *waiting, dbgeng_error *error)
{
    dbgeng_session *self = NULL;

    if (server != 0 && !dbgeng_server_answers(server, waiting, error)) {
        return NULL;
    }
    self = dbgeng_session_create(DBGENG_PROCESS, error);
    if (self != NULL && !dbgeng_create_client(&self->client, error)) {
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
    return self;
}

static IDebugControl *control_of(IDebugClient5 *client, dbgeng_error *error)
{
    void *control = NULL;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_control, &control);

    if (status != S_OK) {
        (void)dbgeng_fail_engine(error, "QueryInterface(IDebugControl)", status);
    }
    return control;
}

/* Waits for the first event, which makes the target accessible: S_OK reports it, S_FALSE reports
 * the end of the slice. Never called again after S_OK: "will end the current session, discard the
 * targets" (idebugcontrol-waitforevent). */
static bool wait_for_target(dbgeng_session *self, const dbgeng_waiting *waiting,
                            dbgeng_error *error)
{
    IDebugControl *control = control_of(self->client, error);
    dbgeng_clock clock = dbgeng_clock_start(waiting);
    HRESULT status = S_FALSE;
    bool good = control != NULL;

    while (good && status != S_OK) {
        status = control->lpVtbl->WaitForEvent(control, 0, dbgeng_clock_slice(&clock));
        if (status == S_FALSE) {
            good = dbgeng_process_ended(self->process) ? dbgeng_fail(error, DBGENG_NO_PROCESS)
                                                       : dbgeng_clock_goes_on(&clock, error);
        } else if (status != S_OK) {
            good = dbgeng_process_ended(self->process)
                       ? dbgeng_fail(error, DBGENG_NO_PROCESS)
                       : dbgeng_fail_engine(error, "WaitForEvent", status);
        }
    }
    /* A noninvasive attach also returns S_OK for a process that has ended. */
    if (good && dbgeng_process_ended(self->process)) {
        good = dbgeng_fail(error, DBGENG_NO_PROCESS);
    }
    if (control != NULL) {
        (void)control->lpVtbl->Release(control);
    }
    return good;
}

static bool add_initial_break(IDebugClient5 *client, dbgeng_error *error)
{
    IDebugControl *control = control_of(client, error);
    bool good = control != NULL;

    if (good) {
        HRESULT status = control->lpVtbl->AddEngineOptions(control, DEBUG_ENGOPT_INITIAL_BREAK);

        if (status != S_OK) {
            good = dbgeng_fail_engine(error, "AddEngineOptions", status);
        }
        (void)control->lpVtbl->Release(control);
    }
    return good;
}

/* The engine returns S_OK for a process id that does not exist; the system does not. The handle
 * also keeps the id from being given to another process. */
static bool open_process(dbgeng_session *self, uint32_t process_id, dbgeng_error *error)
{
    dbgeng_failure failure = DBGENG_OK;
    BOOL other = FALSE, own = FALSE;

    if (process_id == GetCurrentProcessId()) {
        return dbgeng_fail(error, DBGENG_OWN_PROCESS);
    }
    self->process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, process_id);
    if (self->process == NULL) {
        /* Refused: it exists, and the engine, which asks for the debug privilege, may open it. */
        failure = GetLastError() == ERROR_ACCESS_DENIED ? DBGENG_OK : DBGENG_NO_PROCESS;
    } else if (dbgeng_process_ended(self->process) || GetProcessId(self->process) != process_id) {
        failure = DBGENG_NO_PROCESS; /* ids are rounded down to a multiple of 4 */
    } else if (sizeof(void *) == 4 && IsWow64Process(GetCurrentProcess(), &own) && own &&
               IsWow64Process(self->process, &other) && !other) {
        failure = DBGENG_OTHER_BITNESS;
    }
    return failure == DBGENG_OK ? true : dbgeng_fail(error, failure);
}

static bool attach(dbgeng_session *self, const dbgeng_attach_options *options, dbgeng_error *error)
{
    IDebugClient5 *client = self->client;
    ULONG flags = DEBUG_ATTACH_DEFAULT;
    HRESULT status;

    self->process_id = options->process_id;
    if (options->server == 0 && !open_process(self, options->process_id, error)) {
        return false;
    }
    if (options->server != 0 && options->process_id == GetCurrentProcessId() &&
        dbgeng_is_this_process(client, options->server)) {
        return dbgeng_fail(error, DBGENG_OWN_PROCESS);
    }
    if (!options->invasive) {
        flags = DEBUG_ATTACH_NONINVASIVE;
        flags |= options->suspend ? 0u : DEBUG_ATTACH_NONINVASIVE_NO_SUSPEND;
    } else if (!add_initial_break(client, error)) {
        return false;
    }
    status = client->lpVtbl->AttachProcess(client, options->server, options->process_id, flags);
    if (status != S_OK) {
        return dbgeng_fail_engine(error, "AttachProcess", status);
    }
    if (!wait_for_target(self, &options->waiting, error)) {
        return false;
    }
    if (options->invasive) {
        /* If this process is killed, the target lives on. Not every system supports that: no error.
         */
        (void)client->lpVtbl->AddProcessOptions(client, DEBUG_PROCESS_DETACH_ON_EXIT);
    }
    return dbgeng_settle_width(client, self->process, error);
}

dbgeng_session *dbgeng_attach(const dbgeng_attach_options *options, dbgeng_error *error)
{
    dbgeng_session *self = begin(options->server, &options->waiting, error);

    if (self != NULL && !attach(self, options, error)) {
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
    return self;
}

static bool launch(dbgeng_session *self, const dbgeng_launch_options *options, dbgeng_error *error)
{
    IDebugClient5 *client = self->client;
    DEBUG_CREATE_PROCESS_OPTIONS how = {DEBUG_ONLY_THIS_PROCESS,
                                        DEBUG_ECREATE_PROCESS_INHERIT_HANDLES, 0, 0};
    HRESULT status;
    bool good = add_initial_break(client, error);

    if (good) {
        /* Without CREATE_UNICODE_ENVIRONMENT, although the block is Unicode: with that flag the
         * engine returns E_NOTIMPL (seen on 10.0.15063.400), and it converts the block itself. */
        status = client->lpVtbl->CreateProcess2Wide(client, options->server, options->command_line,
                                                    &how, sizeof how, options->directory,
                                                    options->environment);
        if (status != S_OK) {
            good = dbgeng_fail_engine(error, "CreateProcess2Wide", status);
        }
    }
    good = good && wait_for_target(self, &options->waiting, error);
    if (good) {
        self->process_id = dbgeng_current_process(client);
        if (options->server == 0 && self->process_id != 0) {
            self->process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE,
                                        self->process_id);
        }
        good = dbgeng_settle_width(client, self->process, error);
    }
    return good;
}

dbgeng_session *dbgeng_launch(const dbgeng_launch_options *options, dbgeng_error *error)
{
    dbgeng_session *self = begin(options->server, &options->waiting, error);
    const char *method = NULL;

    if (self != NULL && !launch(self, options, error)) {
        (void)self->base.operations->end(&self->base, true, true,
                                         &method); /* nothing else refers to it */
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
    return self;
}
