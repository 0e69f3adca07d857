/* Moves many ranges of the memory of a live Linux process, and determines which spans may be
 * written back. */
#define _GNU_SOURCE 1
#include "ranges.h"

#include <errno.h>

#include "errand.h"
#include "file_systems.h"
#include "held.h"
#include "maps.h"
#include "memory.h"
#include "present.h"
#include "sharing.h"
#include "vectors.h"
#include "worker.h"

/* Adds up to `most` ranges, as many as one system call takes, up to the first that is not known to
 * be present. */
static void fill(linux_vectors *self, linux_target *process, bool writing,
                 const pointer_range *ranges, size_t most)
{
    self->local_count = 0;
    self->count = 0;
    self->bytes = 0;
    while (self->count < most && self->count < LINUX_MOST_VECTORS &&
           ranges[self->count].Size <= LINUX_LARGEST_MOVE - self->bytes &&
           linux_present_bytes(process, writing, ranges[self->count].Offset,
                               (size_t)ranges[self->count].Size) == ranges[self->count].Size) {
        linux_vectors_add(self, &ranges[self->count]);
    }
}

/* Returns how many ranges, from the first on, only the worker may move: they lie in one mapping of
 * a file that may have to wait for its file system. 0 also if there is one alone. */
static size_t count_waiting(linux_target *process, bool writing, const pointer_range *ranges,
                            size_t most, linux_region *memory)
{
    linux_region region;
    linux_filler filler = LINUX_FILLER_MEMORY;
    bool never_direct = false;
    uint64_t bytes = 0;
    size_t count = 0;

    if (linux_maps_find(process->maps, ranges[0].Offset, &region) == 0 &&
        (writing ? region.writable : region.readable)) {
        filler = linux_filler_of(process, &region);
        never_direct = region.shared && (filler == LINUX_FILLER_OTHER || writing);
        if (filler == LINUX_FILLER_MEMORY) {
            *memory = region;
        }
    }
    while (filler != LINUX_FILLER_MEMORY && count < most && count < LINUX_WORKER_RANGES &&
           ranges[count].Size <= LINUX_WORKER_BYTES - bytes &&
           ranges[count].Offset >= region.start && ranges[count].Offset < region.end &&
           ranges[count].Size <= region.end - ranges[count].Offset &&
           (never_direct || linux_present_bytes(process, writing, ranges[count].Offset,
                                                (size_t)ranges[count].Size) == 0)) {
        bytes += ranges[count].Size;
        count++;
    }
    return count > 1 ? count : 0;
}

/* Moves one range, or the rest of it, in every available way. */
static HRESULT move_one(embedded_target *self, bool writing, const pointer_range *range,
                        uint64_t done)
{
    unsigned char *data = (unsigned char *)range->Data + done;
    uint64_t address = range->Offset + done;
    size_t size = (size_t)(range->Size - done);
    size_t moved = 0;

    return writing ? linux_memory_write(self, address, data, size, &moved)
                   : linux_memory_read(self, address, data, size, &moved);
}

/* Moves ranges of one mapping in one errand, if there are several at the start that only the worker
 * may move; else none. `tried` is the last mapping of memory that had none. */
static HRESULT move_waiting(linux_target *process, bool writing, const pointer_range *ranges,
                            size_t most, linux_region *tried, size_t *count, size_t *moved)
{
    HRESULT status = S_OK;

    *count = 0;
    *moved = 0;
    if (ranges->Offset < tried->start || ranges->Offset >= tried->end) {
        *count = count_waiting(process, writing, ranges, most, tried);
    }
    if (*count > 0) {
        status = linux_errand_run(process, writing, false, ranges, *count, moved);
    }
    return status == S_FALSE ? S_OK : status;
}

/* Moves present ranges in one system call, if there are several at the start; else none. */
static void move_present(linux_target *process, bool writing, const pointer_range *ranges,
                         size_t most, size_t *count, size_t *moved)
{
    linux_vectors calls;
    ssize_t got = 0;

    fill(&calls, process, writing, ranges, most);
    if (calls.count > 1) {
        got = linux_vectors_move(&calls, (pid_t)process->thread, writing);
    }
    *count = calls.count;
    *moved = got > 0 ? (size_t)got : 0;
}

HRESULT linux_ranges_move(embedded_target *self, bool writing, const pointer_range *ranges,
                          size_t count, size_t *done)
{
    linux_target *process = (linux_target *)self;
    HRESULT status = S_OK;
    size_t most = LINUX_MOST_VECTORS; /* fewer if many fail: each failing call checks all of them */
    linux_region tried = {0};

    *done = 0;
    while (status == S_OK && *done < count) {
        const pointer_range *next = &ranges[*done];
        size_t left = count - *done < most ? count - *done : most;
        size_t together = 0, moved = 0;

        if (linux_held_lost(process)) {
            status = E_UNEXPECTED;
        } else if (process->writable || !writing) {
            if (process->tracer != NULL && atomic_i32_load(&process->calls_refused) == 0) {
                move_present(process, writing, next, left, &together, &moved);
            }
            if (together == 0) {
                status = move_waiting(process, writing, next, left, &tried, &together, &moved);
            }
        }
        if (status != S_OK) {
            break;
        }
        for (left = together; left > 0 && moved >= next->Size; left--) {
            moved -= (size_t)next->Size;
            next++;
            *done += 1;
        }
        if (together < 2 || left > 0) {
            /* Finds the reason for the stop, and whether the range can be moved in another way. */
            status = move_one(self, writing, next, moved);
            *done += status == S_OK ? 1 : 0;
        }
        if (left > 0 && together > 1) {
            most = 1;
        } else {
            most = most < LINUX_MOST_VECTORS ? most * 2 : most;
        }
    }
    return status;
}

HRESULT linux_ranges_span_region(embedded_target *self, uint64_t address, uint64_t *end)
{
    linux_target *process = (linux_target *)self;
    linux_region region;
    HRESULT status = S_FALSE;
    int failure = linux_maps_find(process->maps, address, &region);

    *end = 0;
    if (failure == 0 && region.start > address) {
        *end = region.start;
    } else if (failure == 0) {
        *end = region.end;
        /* If the kernel does not report the page size, huge pages are among those with a file. */
        if (process->tracer != NULL && region.readable && region.writable && !region.shared &&
            (region.page_size == 0 ? !region.file_backed : region.page_size == self->page_size)) {
            status = linux_sharing_alone(process) ? S_OK : S_FALSE;
        }
    } else if (failure == ESRCH) {
        status = E_UNEXPECTED;
    }
    return status;
}
