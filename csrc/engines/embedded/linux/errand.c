/* Moves memory by the worker, and interprets its answer; see errand.h. */
#define _GNU_SOURCE 1
#include "errand.h"

#include <errno.h>

#include "process.h"
#include "worker.h"

HRESULT linux_errand_run(linux_target *process, bool writing, bool forced,
                         const pointer_range *ranges, size_t count, size_t *moved)
{
    bool refused = atomic_i32_load(&process->calls_refused) != 0;
    bool by_call = process->memory < 0 || (process->tracer != NULL && !forced && !refused);
    linux_errand errand = {(pid_t)process->thread,
                           by_call ? -1 : process->memory,
                           writing,
                           process->base.page_size,
                           ranges,
                           count};
    HRESULT result = S_OK;
    ssize_t done = -EINTR;

    *moved = 0;
    if (!process->base.interrupted) {
        done = linux_worker_move(&process->worker, &errand, process->base.goes_on);
    }
    if (done > 0) {
        *moved = (size_t)done;
    } else if (done == -EINTR) {
        process->base.interrupted = true;
        result = E_ABORT;
    } else if (done == -EINPROGRESS) {
        process->base.interrupted = true;
        process->memory = by_call ? process->memory : -1; /* the worker's now */
        atomic_i32_store(&process->abandoned, 1);
        result = E_UNEXPECTED;
    } else if (done == -ENOMEM) {
        result = E_OUTOFMEMORY;
    } else if (done == -ESRCH || (done == 0 && !by_call) || linux_held_lost(process)) {
        result = E_UNEXPECTED;
    } else if (by_call && process->memory >= 0 && linux_call_refused((int)-done)) {
        atomic_i32_store(&process->calls_refused, 1); /* and S_OK: use the descriptor now */
    } else {
        result = S_FALSE;
    }
    return result;
}
