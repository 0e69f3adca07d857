/* The memory map behind a descriptor of /proc/PID/maps: which mapping holds an address.
 *
 * The descriptor is bound to the memory (mm_struct) that the process had when it was opened
 * (fs/proc/task_mmu.c, proc_maps_open), so that a later program is never looked at.
 */
#define _GNU_SOURCE 1
#include "linux_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* include/uapi/linux/fs.h, Linux 6.11; declared here since most headers are older. */
struct procmap_query {
    uint64_t size;
    uint64_t query_flags;
    uint64_t query_addr;
    uint64_t vma_start;
    uint64_t vma_end;
    uint64_t vma_flags;
    uint64_t vma_page_size;
    uint64_t vma_offset;
    uint64_t inode;
    uint32_t dev_major;
    uint32_t dev_minor;
    uint32_t vma_name_size;
    uint32_t build_id_size;
    uint64_t vma_name_addr;
    uint64_t build_id_addr;
};

#define QUERY_MAP            _IOWR('f', 17, struct procmap_query)
#define QUERY_READABLE       0x01u
#define QUERY_WRITABLE       0x02u
#define QUERY_EXECUTABLE     0x04u
#define QUERY_SHARED         0x08u
#define QUERY_COVERS_OR_NEXT 0x10u

/* Nothing of a program lies in the upper half; the map's text lists [vsyscall] there. */
#define UPPER_HALF (UINT64_C(1) << 63)

/* ENOTTY: the kernel has no such query. */
static int find_by_query(int maps, uint64_t address, linux_region *region)
{
    struct procmap_query query = {
        .size = sizeof query, .query_flags = QUERY_COVERS_OR_NEXT, .query_addr = address};

    if (ioctl(maps, QUERY_MAP, &query) != 0) {
        return errno;
    }
    if (query.vma_start >= UPPER_HALF) {
        return ENOENT;
    }
    region->start = query.vma_start;
    region->end = query.vma_end;
    region->readable = (query.vma_flags & QUERY_READABLE) != 0;
    region->writable = (query.vma_flags & QUERY_WRITABLE) != 0;
    region->executable = (query.vma_flags & QUERY_EXECUTABLE) != 0;
    region->shared = (query.vma_flags & QUERY_SHARED) != 0;
    region->file_backed = query.inode != 0;
    return 0;
}

/* One line: "start-end rwxp offset major:minor inode path" (proc_pid_maps(5)). */
static bool parse_line(const char *line, linux_region *region)
{
    char *at;
    int blank;

    region->start = strtoull(line, &at, 16);
    if (*at != '-') {
        return false;
    }
    region->end = strtoull(at + 1, &at, 16);
    if (at[0] != ' ' || strnlen(at, 6) < 6) {
        return false;
    }
    region->readable = at[1] == 'r';
    region->writable = at[2] == 'w';
    region->executable = at[3] == 'x';
    region->shared = at[4] == 's';
    at += 5;
    for (blank = 0; blank < 3 && at != NULL; blank++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    region->file_backed = at != NULL && strtoull(at, NULL, 10) != 0;
    return true;
}

/* Give each mapping to the search, in ascending order, until it has what it wants. */
typedef struct text_search {
    uint64_t address;
    uint64_t below; /* the end of the last mapping below address */
    linux_region *region;
} text_search;

static int find_by_text(int maps, text_search *search)
{
    char text[16384];
    size_t kept = 0;
    size_t line;
    off_t offset = 0;
    ssize_t got;
    char *end;

    search->below = 0;
    for (;;) {
        got = pread(maps, text + kept, sizeof text - 1 - kept, offset);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        if (got == 0) {
            return offset == 0 ? ESRCH : ENOENT;
        }
        offset += got;
        kept += (size_t)got;
        text[kept] = '\0';
        for (line = 0; (end = strchr(text + line, '\n')) != NULL; line = (size_t)(end - text) + 1) {
            *end = '\0';
            if (!parse_line(text + line, search->region)) {
                return EPROTO;
            }
            if (search->region->start >= UPPER_HALF) {
                return ENOENT;
            }
            if (search->region->end > search->address) {
                return 0;
            }
            search->below = search->region->end;
        }
        if (line == 0 && kept == sizeof text - 1) {
            return EPROTO; /* a line has at most a path, PATH_MAX bytes, escaped fourfold */
        }
        kept -= line;
        memmove(text, text + line, kept);
    }
}

int linux_maps_find(int maps, uint64_t address, linux_region *region)
{
    text_search search = {.address = address, .region = region};
    int failure;

    if (address >= UPPER_HALF) {
        return ENOENT;
    }
    failure = find_by_query(maps, address, region);
    if (failure == ENOTTY || failure == EINVAL || failure == ENOSYS || failure == EPERM) {
        failure = find_by_text(maps, &search);
    }
    return failure;
}

/* The query can't look down. Halve the room between a mapping known to lie below the gap and an
 * address known to lie in it: at most one query for each bit of an address. */
int linux_maps_gap_start(int maps, uint64_t address, uint64_t *start)
{
    linux_region next = {0};
    linux_region found = {0};
    text_search search = {.address = address, .region = &found};
    uint64_t low = 0;
    uint64_t high = address;
    uint64_t middle;
    int failure = find_by_query(maps, address, &next);

    if (failure == ENOTTY || failure == EINVAL || failure == ENOSYS || failure == EPERM) {
        failure = find_by_text(maps, &search);
        *start = search.below;
        return failure;
    }
    while (failure == 0 && low < high) {
        middle = low + (high - low) / 2;
        failure = find_by_query(maps, middle, &found);
        if (failure == 0 && found.start >= next.start) {
            high = middle;
        } else if (failure == 0) {
            low = found.end;
        }
    }
    *start = low;
    return failure;
}
