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
 * swapped in without another program. That is true of a page of a file, too, if the file lies in
 * memory or on a disk of this machine. Even so, the first write to a shared page of a disk's file
 * is announced to the file system, which may be frozen; a private page is copied instead. The
 * answers are kept, for LINUX_PRESENT_BLOCKS blocks of pages. For a running process they are valid
 * for one call.
 */
#define _GNU_SOURCE 1
#include "present.h"

#include <string.h>
#include <unistd.h>

#include "file_systems.h"
#include "maps.h"

#define PAGES_EACH ((uint64_t)LINUX_PRESENT_PAGES)

/* The numbers of blocks are smaller: addresses have 56 bits, and a block has 64 pages. */
#define NEXT_ANSWERS (UINT64_C(1) << 40)

/* Bits of an entry. */
#define PRESENT         (UINT64_C(1) << 63)
#define OF_A_FILE       (UINT64_C(1) << 61) /* or shared with another process */
#define WRITE_PROTECTED (UINT64_C(1) << 57)

/* Learns of those pages of files that lie in the mapping of `page`, one of them. */
static void learn_of_files(linux_target *process, linux_present_block *known, uint64_t files,
                           uint64_t page)
{
    uint64_t first = page - page % PAGES_EACH;
    uint64_t address = page << process->page_shift;
    linux_region region;

    if (linux_maps_find(process->maps, address, &region) == 0 && region.start <= address) {
        linux_filler filler = linux_filler_of(process, &region);

        for (uint64_t i = 0; i < PAGES_EACH; i++) {
            uint64_t start = (first + i) << process->page_shift;

            if (start < region.start || start >= region.end) {
                files &= ~(UINT64_C(1) << i);
            }
        }
        if (filler != LINUX_FILLER_OTHER) {
            known->to_read |= files;
        }
        if (filler == LINUX_FILLER_MEMORY || (filler == LINUX_FILLER_DISK && !region.shared)) {
            known->to_write |= files;
        }
    }
}

/* Learns of the pages of a block, of those of files only if `page` is one. */
static void learn(linux_target *process, linux_present_block *known, uint64_t page)
{
    uint64_t entries[LINUX_PRESENT_PAGES];
    ssize_t got = pread(process->pagemap, entries, sizeof entries,
                        (off_t)(page / PAGES_EACH * sizeof entries));
    uint64_t files = 0;

    for (ssize_t i = 0; i < got / (ssize_t)sizeof *entries; i++) {
        if ((entries[i] & (PRESENT | WRITE_PROTECTED)) == PRESENT) {
            uint64_t bit = UINT64_C(1) << i;

            if ((entries[i] & OF_A_FILE) != 0) {
                files |= bit;
            } else {
                known->to_read |= bit;
                known->to_write |= bit;
            }
        }
    }
    if ((files & UINT64_C(1) << page % PAGES_EACH) != 0) {
        learn_of_files(process, known, files, page);
    }
}

/* Returns the record of the known pages of a block. */
static linux_present_block *known_of(linux_target *process, uint64_t block)
{
    linux_present_block *known = &process->present[block % LINUX_PRESENT_BLOCKS];

    if (known->block != process->present_from + block) {
        *known = (linux_present_block){.block = process->present_from + block};
    }
    return known;
}

/* True if the page is known to be present. Asks the kernel if it is not. */
static bool is_present(linux_target *process, bool writing, uint64_t page)
{
    linux_present_block *known = known_of(process, page / PAGES_EACH);
    const uint64_t *pages = writing ? &known->to_write : &known->to_read;
    uint64_t bit = UINT64_C(1) << page % PAGES_EACH;

    if ((*pages & bit) == 0) {
        learn(process, known, page);
    }
    return (*pages & bit) != 0;
}

void linux_present_forget(linux_target *process)
{
    process->present_from += NEXT_ANSWERS;
    if (process->present_from == 0) {
        memset(process->present, 0, sizeof process->present);
    }
}

size_t linux_present_bytes(linux_target *process, bool writing, uint64_t address, size_t size)
{
    unsigned shift = process->page_shift;
    uint64_t first = address >> shift;
    uint64_t last = (address + size - 1) >> shift;
    uint64_t page = first;

    if (process->tracer == NULL) { /* a running process may change it */
        linux_present_forget(process);
    }
    /* A program has no memory in the upper half, and file offsets are signed. */
    while (page <= last && address < LINUX_LAST_END && is_present(process, writing, page)) {
        page++;
    }
    if (page > last) {
        return size;
    }
    return page == first ? 0 : (size_t)((page << shift) - address);
}
