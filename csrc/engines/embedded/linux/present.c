/* Determines which pages of a process can be accessed without a wait for another program; see
 * present.h.
 *
 * A page that is absent may be filled by a program: by a handler of userfaultfd(2), which may be a
 * thread of the suspended process, or by a file system in user space or on another machine.
 * process_vm_readv(2) and process_vm_writev(2) then sleep until it is filled, and no signal but
 * SIGKILL ends that. /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst) shows which pages
 * are present, which belong to a file, and which userfaultfd write-protects.
 *
 * A page that was present stays so while the process is suspended: it can be swapped out, but it is
 * swapped in without another program. So the answers are kept, for LINUX_PRESENT_BLOCKS blocks of
 * pages. For a running process they are valid for one call.
 */
#define _GNU_SOURCE 1
#include "present.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "process.h"

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif
#define TMPFS_MAGIC 0x01021994 /* include/uapi/linux/magic.h */

#define PAGES_EACH ((uint64_t)LINUX_PRESENT_PAGES)

/* Bits of an entry. */
#define PRESENT         (UINT64_C(1) << 63)
#define OF_A_FILE       (UINT64_C(1) << 61) /* or shared with another process */
#define WRITE_PROTECTED (UINT64_C(1) << 57)

/* Returns the pages of a block that are present and have none of the `unwanted` bits. */
static uint64_t ask(int pagemap, uint64_t block, uint64_t unwanted)
{
    uint64_t entries[LINUX_PRESENT_PAGES];
    ssize_t got = pread(pagemap, entries, sizeof entries, (off_t)(block * sizeof entries));
    uint64_t pages = 0;

    for (ssize_t i = 0; i < got / (ssize_t)sizeof *entries; i++) {
        if ((entries[i] & (PRESENT | unwanted)) == PRESENT) {
            pages |= UINT64_C(1) << i;
        }
    }
    return pages;
}

/* Returns the record of the known pages of a block. */
static linux_present_block *known_of(linux_target *process, uint64_t block)
{
    linux_present_block *known = &process->present[block % LINUX_PRESENT_BLOCKS];

    if (known->block != block) {
        known->block = block;
        known->pages = 0;
    }
    return known;
}

/* True if the page is known to be present. Asks the kernel if it is not. */
static bool is_present(linux_target *process, uint64_t page)
{
    uint64_t block = page / PAGES_EACH;
    uint64_t bit = UINT64_C(1) << page % PAGES_EACH;
    linux_present_block *known = known_of(process, block);

    if ((known->pages & bit) == 0) {
        known->pages |= ask(process->pagemap, block, OF_A_FILE | WRITE_PROTECTED);
    }
    return (known->pages & bit) != 0;
}

size_t linux_present_bytes(linux_target *process, uint64_t address, size_t size)
{
    unsigned shift = process->page_shift;
    uint64_t first = address >> shift;
    uint64_t last = (address + size - 1) >> shift;
    uint64_t page = first;

    if (process->tracer == NULL) { /* a running process may change it: answers expire */
        memset(process->present, 0, sizeof process->present);
    }
    /* A program has no memory in the upper half, and file offsets are signed. */
    while (page <= last && address < LINUX_LAST_END && is_present(process, page)) {
        page++;
    }
    if (page > last) {
        return size;
    }
    return page == first ? 0 : (size_t)((page << shift) - address);
}

void linux_present_learn(linux_target *process, uint64_t address, size_t size)
{
    uint64_t page = address >> process->page_shift;
    uint64_t last = (address + size - 1) >> process->page_shift;

    while (process->tracer != NULL && page <= last) {
        uint64_t block = page / PAGES_EACH;
        uint64_t present = ask(process->pagemap, block, WRITE_PROTECTED);
        uint64_t moved = 0;

        for (; page <= last && page / PAGES_EACH == block; page++) {
            moved |= UINT64_C(1) << page % PAGES_EACH;
        }
        known_of(process, block)->pages |= present & moved;
    }
}

/* Finds the file systems (tmpfs) of the memory shared by mmap(2), shmget(2) and memfd_create(2),
 * and of shm_open(3). */
static void find_shared_memory(linux_target *process)
{
    struct stat file;
    struct statfs system;
    int made = (int)syscall(SYS_memfd_create, "pydbgwrite", MFD_CLOEXEC);

    if (made >= 0 && fstat(made, &file) == 0) {
        process->shared_memory[0] = file.st_dev;
    }
    linux_close(&made);
    if (statfs("/dev/shm", &system) == 0 && system.f_type == TMPFS_MAGIC &&
        stat("/dev/shm", &file) == 0) {
        process->shared_memory[1] = file.st_dev;
    }
}

bool linux_present_in_memory(linux_target *process, const linux_region *region)
{
    if (!region->file_backed) {
        return true;
    }
    if (process->shared_memory[0] == 0) {
        find_shared_memory(process);
    }
    return region->device != 0 && (region->device == process->shared_memory[0] ||
                                   region->device == process->shared_memory[1]);
}
