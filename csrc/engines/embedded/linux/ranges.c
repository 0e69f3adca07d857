/* Moves many ranges of the memory of a live Linux process, and determines which spans may be
 * written back. */
#define _GNU_SOURCE 1
#include "ranges.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#include "held.h"
#include "maps.h"
#include "memory.h"
#include "present.h"
#include "sharing.h"

#if defined(IOV_MAX)
#define MOST_RANGES IOV_MAX
#else
#define MOST_RANGES 1024 /* UIO_MAXIOV, include/uapi/linux/uio.h */
#endif

typedef struct batch {
    struct iovec local[MOST_RANGES];
    struct iovec remote[MOST_RANGES];
    size_t local_count;
    size_t count; /* ranges, remote ones */
    uint64_t bytes;
} batch;

/* Adds up to `most` ranges, as many as one system call takes, up to the first that is not known to
 * be present. Adjacent pieces of local memory are joined. */
static void fill(batch *self, linux_target *process, const pointer_range *ranges, size_t most)
{
    self->local_count = 0;
    self->count = 0;
    self->bytes = 0;
    while (self->count < most && self->count < MOST_RANGES &&
           ranges[self->count].Size <= LINUX_LARGEST_MOVE - self->bytes &&
           linux_present_bytes(process, ranges[self->count].Offset,
                               (size_t)ranges[self->count].Size) == ranges[self->count].Size) {
        const pointer_range *range = &ranges[self->count];
        struct iovec *last = self->local_count == 0 ? NULL : &self->local[self->local_count - 1];

        self->remote[self->count].iov_base = (void *)(uintptr_t)range->Offset;
        self->remote[self->count].iov_len = (size_t)range->Size;
        if (last != NULL && (char *)last->iov_base + last->iov_len == (char *)range->Data) {
            last->iov_len += (size_t)range->Size;
        } else {
            self->local[self->local_count].iov_base = range->Data;
            self->local[self->local_count].iov_len = (size_t)range->Size;
            self->local_count++;
        }
        self->bytes += range->Size;
        self->count++;
    }
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

HRESULT linux_ranges_move(embedded_target *self, bool writing, const pointer_range *ranges,
                          size_t count, size_t *done)
{
    linux_target *process = (linux_target *)self;
    bool together = process->tracer != NULL && (process->writable || !writing);
    HRESULT status = S_OK;
    size_t most = MOST_RANGES; /* fewer if many fail: each failing call checks all of them */
    batch calls;

    *done = 0;
    while (status == S_OK && *done < count) {
        const pointer_range *next = &ranges[*done];
        uint64_t moved = 0;

        calls.count = 0;
        if (linux_held_lost(process)) {
            status = E_UNEXPECTED;
            break;
        }
        if (together && atomic_i32_load(&process->calls_refused) == 0) {
            fill(&calls, process, next, count - *done < most ? count - *done : most);
        }
        if (calls.count > 1) {
            pid_t id = (pid_t)process->thread;
            ssize_t got = writing ? process_vm_writev(id, calls.local, calls.local_count,
                                                      calls.remote, calls.count, 0)
                                  : process_vm_readv(id, calls.local, calls.local_count,
                                                     calls.remote, calls.count, 0);

            moved = got > 0 ? (uint64_t)got : 0;
        }
        if (calls.count > 1 && moved == calls.bytes) {
            *done += calls.count;
            most = most < MOST_RANGES ? most * 2 : most;
        } else {
            /* Finds the reason for the stop, and whether the range can be moved in another way. */
            while (moved >= next->Size) {
                moved -= next->Size;
                next++;
                *done += 1;
            }
            status = move_one(self, writing, next, moved);
            *done += status == S_OK ? 1 : 0;
            most = calls.count > 1 ? 1 : most < MOST_RANGES ? most * 2 : most;
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
