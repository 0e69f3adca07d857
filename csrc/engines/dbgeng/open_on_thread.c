/* Sessions of kernels and dumps: a separate thread opens each one, and lives as long as it does.
 *
 * A kernel's WaitForEvent takes no limit but INFINITE (idebugcontrol-waitforevent), and the time to
 * read the directory of a huge or distant dump has no limit. All clients of a process share its
 * session, so the thread that owns the session has a separate client.
 */
#include "open_on_thread.h"

#include "../../com/control.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "claim.h"
#include "width.h"

/* dbgeng.h */
#define DEBUG_ATTACH_KERNEL_CONNECTION 0u

/* Returns the control of the job's client; NULL: the job's status gives the reason. */
static IDebugControl *begin_work(dbgeng_job *job)
{
    dbgeng_error error = {DBGENG_OK, S_OK, 0, NULL};
    void *control = NULL;

    job->operation = "DebugCreate";
    if (dbgeng_create_client(&job->client, &error)) {
        job->operation = "QueryInterface(IDebugControl)";
        job->status =
            job->client->lpVtbl->QueryInterface(job->client, &iid_debug_control, &control);
    } else {
        job->status = error.hresult;
    }
    return control;
}

/* The one wait for the first event, without a limit; ends what begin_work() began. */
static void end_work(dbgeng_job *job, IDebugControl *control)
{
    if (job->status == S_OK) {
        job->operation = "WaitForEvent";
        job->status = control->lpVtbl->WaitForEvent(control, 0, INFINITE);
    }
    (void)control->lpVtbl->Release(control);
}

static void kernel_work(dbgeng_job *job)
{
    IDebugControl *control = begin_work(job);

    if (control != NULL) {
        /* Without this option the wait lasts until the kernel has an event itself. */
        job->operation = "AddEngineOptions";
        job->status = control->lpVtbl->AddEngineOptions(control, DEBUG_ENGOPT_INITIAL_BREAK);
        if (job->status == S_OK) {
            job->operation = "AttachKernelWide";
            job->status = job->client->lpVtbl->AttachKernelWide(
                job->client, DEBUG_ATTACH_KERNEL_CONNECTION, job->options);
        }
        end_work(job, control);
    }
}

static void dump_work(dbgeng_job *job)
{
    IDebugControl *control = begin_work(job);

    if (control != NULL) {
        job->operation = "OpenDumpFileWide";
        job->status = job->client->lpVtbl->OpenDumpFileWide(job->client, job->options, 0);
        end_work(job, control);
    }
}

/* The thread lives as long as the session. If the opening side gave up before the engine answered,
 * the session is ended here. */
static void undo(dbgeng_job *job, bool wanted)
{
    if (job->client != NULL) {
        if (!wanted) {
            (void)job->client->lpVtbl->EndSession(job->client, DEBUG_END_ACTIVE_DETACH);
        }
        (void)job->client->lpVtbl->Release(job->client);
    }
    if (atomic_i32_load(&job->unclaims) != 0) {
        dbgeng_unclaim();
    }
}

/* The common part of both openings. `for_good`: after it is given up, the engine can't be used
 * again. */
static dbgeng_session *open_on_thread(dbgeng_kind kind, const wchar_t *options,
                                      void (*work)(dbgeng_job *), bool for_good,
                                      const dbgeng_waiting *waiting, dbgeng_error *error)
{
    bool good = false;
    dbgeng_session *self = dbgeng_session_create(kind, error);

    if (self == NULL) {
        return NULL;
    }
    self->job = dbgeng_job_start(options, work, undo, error);
    good = self->job != NULL && dbgeng_job_wait(self->job, waiting, error);
    if (!good && (error->failure == DBGENG_TIMEOUT || error->failure == DBGENG_CANCELLED)) {
        self->claimed = false;
        if (for_good) {
            dbgeng_lose();
        } else {
            atomic_i32_store(&self->job->unclaims, 1);
        }
    }
    good = good && dbgeng_create_client(&self->client, error) &&
           dbgeng_settle_width(self->client, NULL, error);
    if (!good) {
        if (self->job != NULL) {
            dbgeng_job_undo(self->job);
            self->job = NULL;
        }
        self->base.operations->destroy(&self->base);
        self = NULL;
    }
    return self;
}

dbgeng_session *dbgeng_attach_kernel(const wchar_t *options, const dbgeng_waiting *waiting,
                                     dbgeng_error *error)
{
    return open_on_thread(DBGENG_KERNEL, options, kernel_work, true, waiting, error);
}

dbgeng_session *dbgeng_open_dump(const wchar_t *path, const dbgeng_waiting *waiting,
                                 dbgeng_error *error)
{
    return open_on_thread(DBGENG_DUMP, path, dump_work, false, waiting, error);
}
