/* The state of a running scattered request, and the functions that all ways of moving share; see
 * job.h. */
#include "job.h"

#include <string.h>

bool scattered_step(scattered_job *job, uint64_t done, uint64_t run)
{
    const core_pace *pace = job->pace;
    uint64_t total = job->error->count;
    bool go_on = true;

    if (total > pace->first_chunk) { /* smaller requests need no clock */
        uint64_t now = pace->now_ns();

        job->run = core_pace_next(pace, run, now - job->ended);
        job->run = job->run < SCATTERED_RUN ? job->run : SCATTERED_RUN;
        if (now - job->stepped >= pace->chunk_ns) {
            go_on = pace->step(pace->context, done, total);
            now = pace->now_ns();
            job->stepped = now;
        }
        job->ended = now;
        if (!go_on) {
            job->error->status = CORE_STOPPED;
        }
    }
    return go_on;
}

/* Moves one range by WriteVirtual or ReadVirtual, which may return S_OK and move only a part. */
static HRESULT move_range(const core_target *target, bool writing, const pointer_range *range)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    unsigned char *data = range->Data;
    HRESULT status = S_OK;

    for (uint64_t done = 0; status == S_OK && done < range->Size;) {
        ULONG wanted = (ULONG)(range->Size - done);
        ULONG moved = 0;

        status = writing ? spaces->lpVtbl->WriteVirtual(spaces, range->Offset + done, data + done,
                                                        wanted, &moved)
                         : spaces->lpVtbl->ReadVirtual(spaces, range->Offset + done, data + done,
                                                       wanted, &moved);
        if (status == S_OK && (moved == 0 || moved > wanted)) {
            status = E_FAIL;
        }
        done += status == S_OK ? moved : 0;
    }
    return status;
}

HRESULT scattered_move(const core_target *target, bool writing, const pointer_range *ranges,
                       ULONG count, ULONG *done)
{
    IPointerScatter *scatter = target->scatter;
    HRESULT status = S_OK;

    *done = 0;
    if (scatter != NULL) {
        status = writing ? scatter->lpVtbl->WriteRanges(scatter, count, ranges, done)
                         : scatter->lpVtbl->ReadRanges(scatter, count, ranges, done);
    }
    while (scatter == NULL && status == S_OK && *done < count) {
        status = move_range(target, writing, &ranges[*done]);
        *done += status == S_OK ? 1 : 0;
    }
    return status;
}

core_outcome scattered_write_whole(const scattered_job *job, const pointer_range *range,
                                   core_guard *guard)
{
    const core_target *target = job->target;
    core_outcome outcome = {S_OK, "WritePointersVirtual", 0};

    if (range->Size == job->width) {
        IDebugDataSpaces4 *spaces = target->data_spaces;
        uint64_t pointer = 0;

        memcpy(&pointer, range->Data, job->width);
        outcome.status = spaces->lpVtbl->WritePointersVirtual(spaces, 1, range->Offset, &pointer);
    } else {
        bool needed = core_put_needs_guard(target, range->Offset, job->width);

        outcome = core_put(target, range->Offset, range->Data, range->Size, job->width,
                           needed ? guard : NULL);
    }
    return outcome;
}
