/* Several threads move or compare a large range of a stopped Linux process.
 *
 * One processor does not use the full memory bandwidth, and the kernel's look-up of the target's
 * pages takes processor time as well. Transfers keep the rule "in order, stop at the first failure"
 * since they run only if no page can fail: the whole range is anonymous private memory that the
 * process may read and write; its map can't change while all its threads are suspended and no other
 * process uses it; and an event that ends the process ends the session too. (A file's pages may be
 * missing past its end. A guard page of MADV_GUARD_INSTALL, Linux 6.13, is not in the map, and the
 * system may have no memory for a page: a large transfer stops there, but may have moved bytes
 * after it as well. So may a transfer with a value too wide for the target.) A comparison changes
 * nothing, so it may run on any page.
 */
#define _GNU_SOURCE 1
#include "parallel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../../base/pointer_view.h"
#include "crew.h"
#include "maps.h"
#include "present.h"
#include "process.h"
#include "sharing.h"

/* Some 50 microseconds of work; the caller waits for at most one block of each helper. */
#define BLOCK_BYTES ((size_t)512 * 1024)
/* The number of the target's bytes that are narrowed or read at a time: they fit in the processor's
 * second-level cache. */
#define PART_BYTES ((size_t)256 * 1024)

/* True if the work goes through memory of this process. That is worthwhile on one processor, too.
 */
static bool by_parts(linux_parallel_work work)
{
    return work != LINUX_PARALLEL_READ && work != LINUX_PARALLEL_WRITE;
}

static bool writes(linux_parallel_work work)
{
    return work != LINUX_PARALLEL_READ && work != LINUX_PARALLEL_COMPARE;
}

typedef struct job {
    int32_t blocks;
    pid_t process;
    int memory; /* if pages are not known to be present: /proc/PID/mem, which never waits for
                 * anonymous ones (memory.c); else -1 */
    linux_parallel_work work;
    uint64_t address; /* of block 0, which may be shorter so that the others begin at a page */
    unsigned char *data;
    size_t size;
    size_t first;  /* bytes of block 0 */
    size_t done[]; /* bytes, of each block */
} job;

static size_t block_start(const job *self, int32_t block)
{
    return block == 0 ? 0 : self->first + (size_t)(block - 1) * BLOCK_BYTES;
}

static size_t block_size(const job *self, int32_t block)
{
    size_t start = block_start(self, block);
    size_t size = block == 0 ? self->first : BLOCK_BYTES;

    return size < self->size - start ? size : self->size - start;
}

/* Moves bytes between `data` and the target; returns how many. */
static size_t move_bytes(const job *self, bool writing, size_t start, unsigned char *data,
                         size_t size)
{
    size_t moved = 0;
    ssize_t step = 1;

    while (moved < size && step > 0) {
        struct iovec local = {data + moved, size - moved};
        struct iovec remote = {(void *)(uintptr_t)(self->address + start + moved), size - moved};
        off_t offset = (off_t)(self->address + start + moved);

        if (self->memory >= 0) {
            step = writing ? pwrite(self->memory, local.iov_base, local.iov_len, offset)
                           : pread(self->memory, local.iov_base, local.iov_len, offset);
        } else {
            step = writing ? process_vm_writev(self->process, &local, 1, &remote, 1, 0)
                           : process_vm_readv(self->process, &local, 1, &remote, 1, 0);
        }
        moved += step > 0 ? (size_t)step : 0;
    }
    return moved;
}

/* Writes the lower halves of the pointers for these bytes of the target, up to the first pointer
 * that does not fit. */
static size_t narrow_part(const job *self, size_t start, size_t size, unsigned char *room)
{
    pointer_view pointers = {self->data + start * 2, sizeof(uint64_t), size / 4};
    bool check = self->work == LINUX_PARALLEL_NARROW_CHECKED;
    uint64_t wide;
    uint64_t fit = pointer_view_pack(&pointers, 4, check, room, &wide);

    return move_bytes(self, true, start, room, (size_t)fit * 4);
}

/* Compares these bytes. Returns all of them or, if they differ or can't be read, 0. */
static size_t compare_part(const job *self, size_t start, size_t size, unsigned char *room)
{
    bool equal = move_bytes(self, false, start, room, size) == size &&
                 memcmp(room, self->data + start, size) == 0;

    return equal ? size : 0;
}

static bool do_block(void *context, int32_t block, unsigned char *room)
{
    job *self = context;
    size_t start = block_start(self, block), size = block_size(self, block);
    size_t done = 0;
    bool whole = true;

    if (!by_parts(self->work)) {
        done =
            move_bytes(self, self->work == LINUX_PARALLEL_WRITE, start, self->data + start, size);
    } else {
        while (whole && done < size) {
            size_t part = size - done < PART_BYTES ? size - done : PART_BYTES;
            size_t went = self->work == LINUX_PARALLEL_COMPARE
                              ? compare_part(self, start + done, part, room)
                              : narrow_part(self, start + done, part, room);

            done += went;
            whole = went == part;
        }
    }
    self->done[block] = done;
    return done == size;
}

/* True if no page of the range can fail. */
static bool sure(const linux_target *process, uint64_t address, size_t size)
{
    uint64_t at = address;
    bool good = size <= UINT64_MAX - address;

    while (good && at < address + size) {
        linux_region region;

        good = linux_maps_find(process->maps, at, &region) == 0 && region.start <= at &&
               region.readable && region.writable && !region.shared && !region.file_backed;
        at = good ? region.end : at;
    }
    return good;
}

static job *prepare(const linux_target *process, linux_parallel_work work, uint64_t address,
                    unsigned char *data, size_t size)
{
    size_t blocks = (size - 1) / BLOCK_BYTES + 2;
    job *self = calloc(1, sizeof *self + blocks * sizeof self->done[0]);

    if (self != NULL) {
        /* No two threads access the same page. */
        self->first = BLOCK_BYTES - (size_t)(address % process->base.page_size);
        self->blocks =
            size <= self->first ? 1 : (int32_t)((size - self->first - 1) / BLOCK_BYTES + 2);
        self->process = (pid_t)process->thread;
        self->work = work;
        self->address = address;
        self->data = data;
        self->size = size;
    }
    return self;
}

size_t linux_parallel_run(linux_target *process, linux_parallel_work work, uint64_t address,
                          void *data, size_t size)
{
    int helpers = linux_crew_most();
    size_t done = 0;
    bool whole, present;
    linux_crew_work blocks;
    job *self = NULL;

    if (size > 0 && (helpers > 0 || by_parts(work)) &&
        size / BLOCK_BYTES < LINUX_CREW_MOST_BLOCKS - 2 && linux_crew_can_work(process)) {
        present = linux_present_bytes(process, writes(work), address, size) == size;
        if ((present && work == LINUX_PARALLEL_COMPARE) ||
            ((present || process->memory >= 0) && sure(process, address, size) &&
             (work == LINUX_PARALLEL_COMPARE || linux_sharing_alone(process)))) {
            self = prepare(process, work, address, data, size);
        }
        if (self != NULL) {
            self->memory = present ? -1 : process->memory;
        }
    }
    if (self == NULL) {
        goto done;
    }
    blocks = (linux_crew_work){.blocks = self->blocks,
                               .do_block = do_block,
                               .context = self,
                               .room_size = by_parts(work) ? PART_BYTES : 0};
    if (linux_crew_run(process, &blocks, helpers, &whole)) {
        whole = true;
        for (int32_t i = 0; i < self->blocks && whole; i++) {
            done += self->done[i];
            whole = self->done[i] == block_size(self, i);
        }
    }
    free(self);
done:
    return done;
}
