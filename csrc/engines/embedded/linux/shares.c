/* Several threads work on scattered addresses of a stopped Linux process, each on other pages.
 *
 * All pages are checked first, by the caller's thread: they are present, private, and used by this
 * process alone. So the threads make system calls only, and keep nothing. A page can still fail (a
 * guard page of MADV_GUARD_INSTALL, memory that the system lacks, a process that is killed): then
 * no thread begins another part, and the caller finds out what was written.
 */
#define _GNU_SOURCE 1
#include "shares.h"

#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "present.h"
#include "ranges.h"
#include "vectors.h"

/* Some 50 to 100 microseconds of work; the caller waits for at most one part of each helper. The
 * work can ask for parts of another size. */
#define PART_PAGES 512u

typedef struct process_mover {
    pointer_mover base;
    pid_t process;
} process_mover;

typedef struct share {
    const shared_work *work;
    process_mover mover;
    uint64_t *starts; /* of the parts, and the end of the last one */
    uint64_t parts;
    uint64_t pages;
    uint64_t part_pages;
} share;

/* Moves the ranges, as many a system call as it takes. */
static bool move(const pointer_mover *self, bool writing, ULONG count, const pointer_range *ranges)
{
    pid_t process = ((const process_mover *)self)->process;
    linux_vectors calls;
    bool good = true;

    for (ULONG done = 0; good && done < count;) {
        ssize_t moved;

        calls.local_count = 0;
        calls.count = 0;
        calls.bytes = 0;
        while (done < count && calls.count < LINUX_MOST_VECTORS) {
            linux_vectors_add(&calls, &ranges[done++]);
        }
        moved = linux_vectors_move(&calls, process, writing);
        good = moved >= 0 && (uint64_t)moved == calls.bytes;
    }
    return good;
}

static uint64_t address_at(const shared_work *work, uint64_t index)
{
    uint64_t address;

    memcpy(&address, work->addresses + index * work->stride, sizeof address);
    return address;
}

/* Cuts the leading addresses that can be shared into parts, at boundaries of pages. */
static void cut(share *self, linux_target *process)
{
    const shared_work *work = self->work;
    unsigned shift = process->page_shift;
    uint64_t before = UINT64_MAX, allowed_to = 0;
    uint64_t i = 0;
    bool good = true;

    while (good && i < work->count) {
        uint64_t address = address_at(work, i);
        uint64_t page = address >> shift;

        if (page != before) {
            if (address >= allowed_to) {
                good = linux_ranges_span_region(&process->base, address, &allowed_to) == S_OK;
            }
            good = good && linux_present_bytes(process, work->writing, page << shift,
                                               (size_t)1 << shift) == (size_t)1 << shift;
            if (good && self->pages % self->part_pages == 0) {
                self->starts[self->parts++] = i;
            }
            self->pages += good ? 1 : 0;
            before = page;
        }
        i += good ? 1 : 0;
    }
    self->starts[self->parts] = i;
}

static bool do_part(void *context, int32_t part, unsigned char *room)
{
    const share *self = context;
    const shared_work *work = self->work;

    return work->do_part(work->context, &self->mover.base, room, self->starts[part],
                         self->starts[part + 1]);
}

HRESULT linux_shares_run(embedded_target *self, const shared_work *work, uint64_t *done)
{
    linux_target *process = (linux_target *)self;
    share shared = {.work = work,
                    .mover = {{move}, (pid_t)process->thread},
                    .part_pages = work->part_pages > 0 ? work->part_pages : PART_PAGES};
    int helpers = linux_crew_most();
    HRESULT status = S_OK;

    *done = 0;
    if (helpers > 0 && work->count >= LINUX_SHARES_LEAST_PAGES &&
        work->count / shared.part_pages < LINUX_CREW_MOST_BLOCKS - 2 &&
        (process->writable || !work->writing) && linux_crew_can_work(process)) {
        shared.starts =
            malloc((size_t)(work->count / shared.part_pages + 2) * sizeof *shared.starts);
    }
    if (shared.starts != NULL) {
        cut(&shared, process);
    }
    if (shared.pages >= LINUX_SHARES_LEAST_PAGES) {
        linux_crew_work parts = {.blocks = (int32_t)shared.parts,
                                 .do_block = do_part,
                                 .context = &shared,
                                 .room_size = work->room_size};
        bool whole = false;

        if (linux_crew_run(process, &parts, helpers, &whole)) {
            *done = shared.starts[shared.parts];
            status = whole ? S_OK : S_FALSE;
        }
    }
    free(shared.starts);
    return status;
}
