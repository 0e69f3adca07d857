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
#include <sys/mman.h>
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
            /* The path at a line's end may be longer than the part read at a time. */
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

#ifndef MADV_POPULATE_READ /* Linux 5.14, and headers of that age */
#define MADV_POPULATE_READ 22
#endif

/* madvise(2): makes the kernel do everything that reading these pages does, except the signal. */
static int populate(const void *from, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)from - (uintptr_t)from % page;
    int failure;

    do {
        failure = madvise((void *)start, (uintptr_t)from + size - start, MADV_POPULATE_READ);
    } while (failure != 0 && (errno == EINTR || errno == EAGAIN));
    return failure;
}

/* Finds it by reading a byte of each page. */
static size_t readable_by_page(const void *from, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t done = 0;
    unsigned char byte;
    bool more = true;

    while (more && done < size) {
        size_t in_page = page - ((uintptr_t)from + done) % page;
        struct iovec into = {&byte, 1}, here = {(void *)((uintptr_t)from + done), 1};

        more = process_vm_readv(getpid(), &into, 1, &here, 1, 0) == 1 || errno != EFAULT;
        done += !more ? 0 : size - done < in_page ? size - done : in_page;
    }
    return done;
}

size_t own_memory_readable(const void *from, size_t size)
{
    size_t readable = size;

    if (size > 0 && populate(from, size) != 0) {
        /* EINVAL: pages of a device, which can be read but not this way; or the kernel is older. */
        bool devices = errno == EINVAL && populate(&readable, sizeof readable) == 0;

        readable = devices ? size : readable_by_page(from, size);
    }
    return readable;
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

size_t own_memory_readable(const void *from, size_t size)
{
    (void)from;
    return size;
}

#endif
