/* A live Linux process as the embedded engine holds it. */
#define _GNU_SOURCE 1
#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "../forks.h"
#include "process.h"

bool linux_held_ended(const linux_target *process)
{
    int ended = process->pidfd >= 0 ? linux_pidfd_ended(process->pidfd) : -1;

    return ended >= 0 ? ended == 1 : linux_process_ended(process->folder);
}

bool linux_held_lost(const linux_target *process)
{
    if (atomic_i32_load(&process->let_go) != 0 || atomic_i32_load(&process->abandoned) != 0 ||
        process->forks != forks_seen()) {
        return true;
    }
    return process->tracer != NULL ? linux_tracer_gone(process->tracer) : linux_held_ended(process);
}

int linux_held_signal(const linux_target *process, int number)
{
    /* The folder works instead of a pidfd (Linux 5.1). */
    int failure =
        linux_pidfd_signal(process->pidfd >= 0 ? process->pidfd : process->folder, number);

    /* Before that, or in a sandbox: by its id, which no other process gets while it is traced. */
    if (failure != 0 && failure != ESRCH && process->tracer != NULL &&
        !linux_tracer_gone(process->tracer)) {
        failure = kill((pid_t)process->base.process_id, number) == 0 ? 0 : errno;
    }
    return failure;
}

HRESULT linux_open_folder(embedded_target *self, bool of_memory, int *folder)
{
    const linux_target *process = (const linux_target *)self;
    int32_t thread = of_memory ? linux_process_living_thread(process->folder) : 0;

    *folder = -1;
    if (linux_held_lost(process)) {
        return E_UNEXPECTED;
    }
    if (thread == (int32_t)self->process_id) {
        thread = 0;
    }
    *folder = linux_process_open(process->folder, thread, ".", O_RDONLY | O_DIRECTORY);
    if (*folder < 0) {
        return errno == ENOENT || errno == ESRCH ? E_UNEXPECTED : HR_GEN_FAILURE;
    }
    return S_OK;
}
