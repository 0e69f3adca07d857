/* A live Linux process as the embedded engine holds it. */
#include "held.h"

#include "process.h"

bool linux_held_lost(const linux_target *process)
{
    if (atomic_i32_load(&process->let_go) != 0) {
        return true;
    }
    return process->tracer != NULL ? linux_tracer_gone(process->tracer)
                                   : linux_pidfd_ended(process->pidfd);
}
