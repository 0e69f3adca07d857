/* A thread for one call, and waiting for it; see job.h. */
#include "job.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "../../com/hresult.h"

static void close_handle(HANDLE handle)
{
    if (handle != NULL) {
        CloseHandle(handle);
    }
}

static void job_release(dbgeng_job *job)
{
    if (atomic_i32_add(&job->references, -1) == 0) {
        close_handle(job->thread);
        close_handle(job->done);
        close_handle(job->over);
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

dbgeng_job *dbgeng_job_start(const wchar_t *options, void (*work)(dbgeng_job *),
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
        job->thread = (HANDLE)thread; /* only the opening side uses it */
    }
done:
    return job;
}

bool dbgeng_job_wait(dbgeng_job *job, const dbgeng_waiting *waiting, dbgeng_error *error)
{
    dbgeng_clock clock = dbgeng_clock_start(waiting);
    bool good = true, done = false;

    while (good && !done) {
        done = WaitForSingleObject(job->done, dbgeng_clock_slice(&clock)) == WAIT_OBJECT_0;
        if (!done) {
            good = dbgeng_clock_goes_on(&clock, error);
        }
    }
    if (good && job->status != S_OK) {
        good = dbgeng_fail_engine(error, job->operation, job->status);
    }
    return good;
}

void dbgeng_job_finish(dbgeng_job *job, bool wanted)
{
    atomic_i32_store(&job->wanted, wanted ? 1 : 0);
    (void)SetEvent(job->over);
    job_release(job);
}

void dbgeng_job_undo(dbgeng_job *job)
{
    bool done = WaitForSingleObject(job->done, 0) == WAIT_OBJECT_0;

    (void)SetEvent(job->over);
    if (done) {
        (void)WaitForSingleObject(job->thread, INFINITE);
    }
    job_release(job);
}
