/* The parts of a live Linux process's memory that a search must read.
 *
 * Pages that are present are read at once (present.h says why they can be). An absent page of
 * private memory without a file holds zeros, or what a handler of userfaultfd(2) would fill in. In
 * a mapping with such a handler, /proc/PID/mem answers EIO for an absent page, at once (memory.c).
 * So one page of each mapping is tried. Other absent pages are left to ReadVirtual: swapped ones,
 * and those of files on a disk.
 *
 * A read of a hole in shared memory, or in a file of tmpfs, would allocate a page for good
 * (mm/shmem.c). So its absent pages are read only if the file, opened by /proc/PID/map_files, is
 * seen to have data there. Without the right to open it (CAP_CHECKPOINT_RESTORE) they are not read,
 * and are reported.
 *
 * PAGEMAP_SCAN (Linux 6.7, Documentation/admin-guide/mm/pagemap.rst) finds present pages and passes
 * over empty parts of the page table. Before, the whole pagemap is read.
 */
#define _GNU_SOURCE 1
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file_systems.h"
#include "held.h"
#include "maps.h"
#include "process.h"

/* include/uapi/linux/fs.h, Linux 6.7; declared here since most headers are older. */
struct page_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct pm_scan_arg {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t vec;
    uint64_t vec_len;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};

#define PAGEMAP_SCAN    _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_PRESENT (UINT64_C(1) << 3)
#define PAGE_IS_SWAPPED (UINT64_C(1) << 4)

/* Bits of an entry of the pagemap. */
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

#define ENTRIES 1024
/* So many entries are read before Ctrl-C gets its turn: some 20 ms. */
#define ENTRIES_AT_ONCE (UINT64_C(1) << 21)

typedef enum page_state { PAGES_ABSENT, PAGES_SWAPPED, PAGES_PRESENT } page_state;

/* Equal pages, from `start` to `end`. */
typedef struct page_run {
    uint64_t start;
    uint64_t end;
    page_state state;
} page_run;

/* Finds the first run that is not absent. False: the kernel has no such call, or refuses it. */
static bool scan(const linux_target *process, uint64_t start, uint64_t end, page_run *run)
{
    struct page_region region = {0};
    struct pm_scan_arg request = {.size = sizeof request,
                                  .start = start,
                                  .end = end,
                                  .vec = (uint64_t)(uintptr_t)&region,
                                  .vec_len = 1,
                                  .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                                  .return_mask = PAGE_IS_PRESENT};
    long found = syscall(SYS_ioctl, process->pagemap, PAGEMAP_SCAN, &request);

    *run = (page_run){start, end, PAGES_ABSENT};
    if (found > 0) {
        page_state state =
            (region.categories & PAGE_IS_PRESENT) != 0 ? PAGES_PRESENT : PAGES_SWAPPED;

        *run = (page_run){region.start, region.end, state};
    }
    return found >= 0;
}

static page_state state_of(uint64_t entry)
{
    page_state state = (entry & SWAPPED) != 0 ? PAGES_SWAPPED : PAGES_ABSENT;

    return (entry & PRESENT) != 0 ? PAGES_PRESENT : state;
}

/* The same by reading entries. False: they can't be read. */
static bool read_entries(const linux_target *process, uint64_t start, uint64_t end, page_run *run)
{
    uint64_t entries[ENTRIES];
    uint64_t page = start >> process->page_shift;
    uint64_t last = end >> process->page_shift; /* not included */
    bool more = true;

    if (last - page > ENTRIES_AT_ONCE) {
        last = page + ENTRIES_AT_ONCE;
        end = last << process->page_shift;
    }
    *run = (page_run){start, end, PAGES_ABSENT};
    while (more && page < last) {
        size_t count = last - page < ENTRIES ? (size_t)(last - page) : ENTRIES;
        ssize_t got = pread(process->pagemap, entries, count * sizeof *entries,
                            (off_t)(page * sizeof *entries));

        if (got < (ssize_t)sizeof *entries) {
            return false;
        }
        count = (size_t)got / sizeof *entries;
        for (size_t i = 0; more && i < count; i++, page++) {
            page_state state = state_of(entries[i]);

            if (run->state == PAGES_ABSENT && state != PAGES_ABSENT) {
                *run = (page_run){page << process->page_shift, end, state};
            } else if (state != run->state) {
                run->end = page << process->page_shift;
                more = false;
            }
        }
    }
    return true;
}

/* Returns whether absent pages of the mapping, of which this is one, are filled with zeros. */
static bool fills_with_zeros(linux_target *process, const linux_region *region, uint64_t absent)
{
    unsigned char byte;

    if (process->zeros_from != region->start || process->zeros_to != region->end) {
        process->zeros_from = region->start;
        process->zeros_to = region->end;
        process->zeros =
            process->memory >= 0 && pread(process->memory, &byte, 1, (off_t)absent) == 1;
    }
    return process->zeros;
}

/* Finds whether the file of a mapping in memory has data at an absent page, and up to where that is
 * so. */
static void look_into_file(linux_target *process, const linux_region *region, uint64_t page,
                           pointer_part *part, bool *hole)
{
    char name[64];
    int file;
    off_t offset = (off_t)(region->offset + (page - region->start)), next;

    snprintf(name, sizeof name, "map_files/%llx-%llx", (unsigned long long)region->start,
             (unsigned long long)region->end);
    file = linux_process_open(process->folder, 0, name, O_RDONLY);
    part->Kind = POINTER_PART_UNREADABLE;
    if (file >= 0) {
        next = lseek(file, offset, SEEK_DATA);
        *hole = next != offset && (next >= 0 || errno == ENXIO);
        if (next == offset) {
            part->Kind = POINTER_PART_PLAIN;
            next = lseek(file, offset, SEEK_HOLE);
        }
        if (next > offset && (uint64_t)(next - offset) < part->End - page) {
            part->End = page + (uint64_t)(next - offset);
        }
        linux_close(&file);
    }
}

/* Finds the first part of address..end, which lies in one readable mapping. False: there is none.
 */
static bool find_in_mapping(linux_target *process, const linux_region *region, bool zeros,
                            pointer_part *part)
{
    uint64_t page = part->Offset - part->Offset % process->base.page_size;
    uint64_t last = part->End - 1;
    uint64_t behind = last - last % process->base.page_size + process->base.page_size;
    bool has_file = region->file_backed || region->shared;
    linux_filler filler = linux_filler_of(process, region);
    bool hole = false;
    page_run run;

    part->Kind = POINTER_PART_PLAIN;
    if (process->pagemap < 0 || filler == LINUX_FILLER_OTHER ||
        (process->memory < 0 &&
         (process->tracer == NULL || atomic_i32_load(&process->calls_refused) != 0)) ||
        (!scan(process, page, behind, &run) && !read_entries(process, page, behind, &run))) {
        return true;
    }
    if (run.state == PAGES_ABSENT || run.start > page) {
        run.end = run.state == PAGES_ABSENT ? run.end : run.start;
        run.start = page;
        part->End = run.end < part->End ? run.end : part->End;
        if (has_file && filler == LINUX_FILLER_MEMORY && !zeros) {
            look_into_file(process, region, page, part, &hole);
        } else if (!has_file && !fills_with_zeros(process, region, page)) {
            part->Kind = process->memory >= 0 ? POINTER_PART_UNREADABLE : POINTER_PART_PLAIN;
        } else if (!has_file) {
            hole = true;
        }
    } else if (run.state == PAGES_PRESENT) {
        part->Kind = POINTER_PART_BLOCKS;
    }
    part->End = run.end < part->End ? run.end : part->End;
    return zeros || !hole;
}

/* As linux_maps_find(). Mappings of a suspended process are kept for the addresses that follow. */
static int find_mapping(linux_target *process, uint64_t address, linux_region *region)
{
    linux_near_map *near = &process->near_map;
    size_t room = process->tracer != NULL ? LINUX_NEAR_MAPPINGS : 1;
    int failure = 0;

    if (process->tracer == NULL || address <= near->asked) {
        near->count = 0;
    }
    near->asked = address;
    while (near->next < near->count && near->regions[near->next].end <= address) {
        near->next++;
    }
    if (near->next >= near->count) {
        near->next = 0;
        failure =
            linux_maps_find_several(process->maps, address, near->regions, room, &near->count);
    }
    if (failure == 0) {
        *region = near->regions[near->next];
    }
    return failure;
}

HRESULT linux_parts_find(embedded_target *self, uint64_t address, uint64_t end, bool zeros,
                         pointer_part *part)
{
    linux_target *process = (linux_target *)self;
    uint64_t at = address;
    uint64_t unasked = 0; /* of embedded_goes_on(), bytes of entries */
    bool found = false;
    HRESULT status = S_OK;

    while (status == S_OK && !found && at < end) {
        linux_region region = {0};
        int failure = find_mapping(process, at, &region);

        *part = (pointer_part){at, end, POINTER_PART_UNREADABLE};
        if (linux_held_lost(process) || failure == ESRCH) {
            status = E_UNEXPECTED;
        } else if (failure != 0) {
            found = true; /* nothing is mapped from here on */
        } else if (region.start > at) {
            found = true;
            part->End = region.start < end ? region.start : end;
        } else {
            part->End = region.end < end ? region.end : end;
            found = !region.readable || find_in_mapping(process, &region, zeros, part);
            if (!embedded_goes_on(self, &unasked, (part->End - at) / self->page_size * 8)) {
                status = E_ABORT;
            }
            at = part->End;
        }
    }
    if (status == S_OK && !found) {
        status = S_FALSE;
    }
    return status;
}
