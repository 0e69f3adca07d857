/* The memory map behind a descriptor of /proc/PID/maps: finds the mapping of an address.
 *
 * The descriptor is bound to the memory (mm_struct) that the process had when it was opened
 * (fs/proc/task_mmu.c, proc_maps_open), so a later program's memory is never shown.
 */
#define _GNU_SOURCE 1
#include "maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "process.h"

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

/* A result of find_by_text(): the mappings so far do not decide the search. */
#define UNSETTLED (-1)

static int find_by_query(int maps, uint64_t address, linux_region *region)
{
    struct procmap_query query = {
        .size = sizeof query, .query_flags = QUERY_COVERS_OR_NEXT, .query_addr = address};
    /* Not ioctl(): its second parameter is an int or an unsigned long, depending on the libc. */
    int failure = syscall(SYS_ioctl, maps, QUERY_MAP, &query) == 0 ? 0 : errno;

    if (failure == 0 && query.vma_start >= LINUX_LAST_END) {
        failure = ENOENT;
    }
    if (failure == 0) {
        region->start = query.vma_start;
        region->end = query.vma_end;
        region->readable = (query.vma_flags & QUERY_READABLE) != 0;
        region->writable = (query.vma_flags & QUERY_WRITABLE) != 0;
        region->executable = (query.vma_flags & QUERY_EXECUTABLE) != 0;
        region->shared = (query.vma_flags & QUERY_SHARED) != 0;
        region->file_backed = query.inode != 0;
        region->offset = query.vma_offset;
        region->device = makedev(query.dev_major, query.dev_minor);
        region->page_size = query.vma_page_size;
    }
    return failure;
}

/* True if the query is unavailable. ENOTTY: the kernel has no such query. The others: the kernel,
 * or a sandbox, refuses it. */
static bool without_query(int failure)
{
    return failure == ENOTTY || failure == EINVAL || linux_call_refused(failure);
}

/* Parses one line: "start-end rwxp offset major:minor inode path" (proc_pid_maps(5)). */
static bool parse_line(const char *line, linux_region *region)
{
    bool good = false;
    char *at, *end;
    int blank;

    region->start = strtoull(line, &at, 16);
    if (*at != '-') {
        goto done;
    }
    region->end = strtoull(at + 1, &at, 16);
    if (at[0] != ' ' || strnlen(at, 6) < 6) {
        goto done;
    }
    region->readable = at[1] == 'r';
    region->writable = at[2] == 'w';
    region->executable = at[3] == 'x';
    region->shared = at[4] == 's';
    at += 5;
    for (blank = 0; blank < 3 && at != NULL; blank++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
        if (blank == 0 && at != NULL) {
            region->offset = strtoull(at, NULL, 16);
        }
        if (blank == 1 && at != NULL) {
            unsigned long major = strtoul(at, &end, 16);

            region->device = makedev(major, *end == ':' ? strtoul(end + 1, NULL, 16) : 0);
        }
    }
    region->file_backed = at != NULL && strtoull(at, NULL, 10) != 0;
    region->page_size = 0;
    good = true;
done:
    return good;
}

/* A search for the mappings that end behind an address. */
typedef struct text_search {
    uint64_t address;
    linux_region *regions;
    size_t room; /* above 0 */
    size_t count;
} text_search;

/* Returns the outcome if there are no more mappings. */
static int at_the_end(const text_search *search)
{
    return search->count > 0 ? 0 : ENOENT;
}

/* Passes each mapping of the complete lines in text to the search, in ascending order, until the
 * search is decided. `used`: the number of characters read. */
static int search_lines(char *text, text_search *search, size_t *used)
{
    int outcome = UNSETTLED;
    char *end;

    *used = 0;
    while (outcome == UNSETTLED && (end = strchr(text + *used, '\n')) != NULL) {
        linux_region *region = &search->regions[search->count];

        *end = '\0';
        if (!parse_line(text + *used, region)) {
            outcome = EPROTO;
        } else if (region->start >= LINUX_LAST_END) {
            outcome = at_the_end(search);
        } else if (region->end > search->address) {
            search->count++;
            outcome = search->count < search->room ? UNSETTLED : 0;
        }
        *used = (size_t)(end - text) + 1;
    }
    return outcome;
}

static int find_by_text(int maps, text_search *search)
{
    char text[16384];
    int outcome = UNSETTLED;
    size_t kept = 0;
    size_t used;
    off_t offset = 0;
    ssize_t got;

    while (outcome == UNSETTLED) {
        do {
            got = pread(maps, text + kept, sizeof text - 1 - kept, offset);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            outcome = errno;
        } else if (got == 0) {
            outcome = offset == 0 ? ESRCH : at_the_end(search);
        } else {
            offset += got;
            kept += (size_t)got;
            text[kept] = '\0';
            outcome = search_lines(text, search, &used);
            if (used == 0 && kept == sizeof text - 1) {
                outcome = EPROTO; /* a line has at most a path, PATH_MAX bytes, escaped fourfold */
            }
            kept -= used;
            memmove(text, text + used, kept);
        }
    }
    return outcome;
}

int linux_maps_find_several(int maps, uint64_t address, linux_region *regions, size_t room,
                            size_t *count)
{
    text_search search = {.address = address, .regions = regions, .room = room};
    int failure = ENOENT;

    *count = 0;
    if (address < LINUX_LAST_END) {
        failure = find_by_query(maps, address, regions);
        *count = failure == 0 ? 1 : 0;
        if (without_query(failure)) {
            failure = find_by_text(maps, &search);
            *count = failure == 0 ? search.count : 0;
        }
    }
    return failure;
}

int linux_maps_find(int maps, uint64_t address, linux_region *region)
{
    size_t count;

    return linux_maps_find_several(maps, address, region, 1, &count);
}
