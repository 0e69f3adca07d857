/* The process's own memory map: VirtualQuery on Windows, /proc/self/maps on Linux. */
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "own_memory.h"

#include <string.h>

#if defined(_WIN32)

#include "../com/types.h"

/* "Memory Protection Constants" (learn.microsoft.com): PAGE_READONLY to PAGE_WRITECOPY, and
 * PAGE_EXECUTE_READ to PAGE_EXECUTE_WRITECOPY, can be read; the PAGE_EXECUTE ones can be run. */
#define READABLE   0xeeu
#define EXECUTABLE 0xf0u

static own_memory_answer ask(uintptr_t address, own_region *region)
{
    MEMORY_BASIC_INFORMATION page;
    own_memory_answer answer = OWN_MEMORY_NOTHING;

    memset(&page, 0, sizeof page);
    if (VirtualQuery((const void *)address, &page, sizeof page) != 0 && page.State == MEM_COMMIT) {
        bool usable = (page.Protect & (PAGE_GUARD | PAGE_NOACCESS)) == 0;

        region->start = (uintptr_t)page.BaseAddress;
        region->end = region->start + page.RegionSize;
        region->readable = usable && (page.Protect & READABLE) != 0;
        region->executable = usable && (page.Protect & EXECUTABLE) != 0;
        answer = OWN_MEMORY_FOUND;
    }
    return answer;
}

#elif defined(__linux__)

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* A line's beginning: "start-end rwxp ..." (proc_pid_maps(5)). */
static bool parse(const char *line, own_region *region)
{
    char *rest = NULL;
    bool good = false;

    region->start = (uintptr_t)strtoull(line, &rest, 16);
    if (*rest == '-') {
        region->end = (uintptr_t)strtoull(rest + 1, &rest, 16);
        if (rest[0] == ' ' && rest[1] != '\0' && rest[2] != '\0' && rest[3] != '\0') {
            region->readable = rest[1] == 'r';
            region->executable = rest[3] == 'x';
            good = true;
        }
    }
    return good;
}

static own_memory_answer ask(uintptr_t address, own_region *region)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    own_memory_answer answer = OWN_MEMORY_UNKNOWN;
    own_region found = {0, 0, false, false};
    char line[128];
    bool begins = true;

    if (maps != NULL) {
        answer = OWN_MEMORY_NOTHING;
        while (answer == OWN_MEMORY_NOTHING && fgets(line, (int)sizeof line, maps) != NULL) {
            /* The path at a line's end may be longer than what is read at a time. */
            if (begins && parse(line, &found) && address >= found.start && address < found.end) {
                *region = found;
                answer = OWN_MEMORY_FOUND;
            }
            begins = strchr(line, '\n') != NULL;
        }
        (void)fclose(maps);
    }
    return answer;
}

size_t own_memory_copy(void *to, const void *from, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t done = 0;
    bool more = size > 0;

    /* Page by page: a part of a range may be left out as a whole (process_vm_readv(2)). */
    while (more && done < size) {
        size_t in_page = page - ((uintptr_t)from + done) % page;
        size_t part = size - done < in_page ? size - done : in_page;
        struct iovec into = {(unsigned char *)to + done, part};
        struct iovec here = {(void *)((uintptr_t)from + done), part};

        more = process_vm_readv(getpid(), &into, 1, &here, 1, 0) == (ssize_t)part;
        if (!more && errno != EFAULT) { /* a seccomp filter denies the call: read it plainly */
            memcpy((unsigned char *)to + done, (const unsigned char *)from + done, part);
            more = true;
        }
        done += more ? part : 0;
    }
    return done;
}

#else

static own_memory_answer ask(uintptr_t address, own_region *region)
{
    (void)address;
    (void)region;
    return OWN_MEMORY_UNKNOWN;
}

#endif

own_memory_answer own_memory_at(uintptr_t address, own_region *region)
{
    own_memory_answer answer = OWN_MEMORY_FOUND;

    if (address < region->start || address >= region->end) {
        memset(region, 0, sizeof *region);
        answer = ask(address, region);
    }
    return answer;
}

#if !defined(__linux__)

size_t own_memory_copy(void *to, const void *from, size_t size)
{
    memcpy(to, from, size); /* Windows refuses to truncate a file that is mapped */
    return size;
}

#endif
