/* Finds the scattered pointers that the target holds, after a failure and to compare; see
 * scattered.h and compare.h. */
#include "sites.h"

#include <stdlib.h>
#include <string.h>

#include "../read_back.h"
#include "radix.h"

/* The memory that was read last: sorted addresses mostly lie in it. */
typedef struct window {
    uint64_t start;
    ULONG size;
    unsigned char bytes[SPAN_PAGE];
} window;

/* Reads the `width` bytes at `address`. False: they can't be read, and *answers is false if the
 * target no longer answers. */
static bool fetch(const core_target *target, window *seen, uint64_t address, unsigned char *bytes,
                  uint32_t width, bool *answers)
{
    bool came = false;

    if (address < seen->start || address - seen->start >= seen->size) {
        ULONG wish = (ULONG)(SPAN_PAGE - (address & (SPAN_PAGE - 1)));

        seen->start = address;
        seen->size = 0;
        *answers = core_read_leading(target, address, seen->bytes, wish, &seen->size);
    }
    if (*answers && address - seen->start + width <= seen->size) {
        memcpy(bytes, seen->bytes + (address - seen->start), width);
        came = true;
    } else if (*answers && seen->size > 0) { /* across the window's end */
        ULONG read = 0;

        *answers = core_read_leading(target, address, bytes, width, &read);
        came = *answers && read == width;
    }
    return came;
}

/* One address that several entries may share: the first and last of its elements. */
typedef struct site {
    uint64_t address;
    uint64_t first, last; /* elements, in the caller's order */
} site;

/* Computes the bytes that all elements together leave at sites[at]: each byte comes from the last
 * element that covers it. Elements that can cover it are at most width - 1 bytes away. */
static void expected(const scattered_job *job, const site *sites, uint64_t count, uint64_t at,
                     unsigned char *bytes)
{
    uint64_t order[8];
    uint64_t from = at, past = at + 1;
    uint32_t width = job->width;

    while (from > 0 && sites[at].address - sites[from - 1].address < width) {
        from--;
    }
    while (past < count && sites[past].address - sites[at].address < width) {
        past++;
    }
    for (uint32_t b = 0; b < width; b++) {
        order[b] = sites[at].last;
    }
    for (uint64_t i = from; i < past; i++) {
        unsigned char form[8];

        memcpy(form, pointer_view_at(&job->request->values, sites[i].last), 8);
        for (uint32_t b = 0; b < width; b++) {
            uint64_t place = sites[at].address + b - sites[i].address; /* wraps if it is below */

            if (place < width && sites[i].last >= order[b]) {
                order[b] = sites[i].last;
                bytes[b] = form[place];
            }
        }
    }
}

/* Returns the addresses of elements from..from+count-1, each once, in ascending order; free() frees
 * them. NULL: memory is short. */
static site *collect_sites(const scattered_job *job, uint64_t from, uint64_t count,
                           uint64_t *site_count)
{
    radix_entry *entries = NULL, *spare = NULL, *sorted;
    site *sites = NULL;
    uint64_t found = 0;

    if (count <= SIZE_MAX / sizeof *entries) {
        entries = malloc((size_t)count * sizeof *entries + 1);
        spare = malloc((size_t)count * sizeof *spare + 1);
    }
    if (entries == NULL || spare == NULL) {
        goto done;
    }
    for (uint64_t i = 0; i < count; i++) {
        entries[i].key = scattered_address(job, from + i);
        entries[i].value = from + i;
    }
    sorted = radix_sort(entries, spare, (size_t)count, 0);
    /* Elements with one address are neighbours now, in the caller's order. */
    for (uint64_t i = 0; i < count; i++) {
        found += i == 0 || sorted[i].key != sorted[i - 1].key ? 1 : 0;
    }
    sites = found <= SIZE_MAX / sizeof *sites ? malloc((size_t)found * sizeof *sites + 1) : NULL;
    found = 0;
    for (uint64_t i = 0; sites != NULL && i < count; i++) {
        if (i == 0 || sorted[i].key != sorted[i - 1].key) {
            sites[found].address = sorted[i].key;
            sites[found].first = sorted[i].value;
            found++;
        }
        sites[found - 1].last = sorted[i].value;
    }
    *site_count = found;
done:
    free(spare);
    free(entries);
    return sites;
}

bool scattered_count(const scattered_job *job, uint64_t from, uint64_t count, uint64_t *landed)
{
    window *seen = calloc(1, sizeof *seen);
    uint64_t site_count = 0;
    site *sites = collect_sites(job, from, count, &site_count);
    bool good = seen != NULL && sites != NULL;

    *landed = count;
    for (uint64_t i = 0; good && i < site_count; i++) {
        unsigned char wanted[8], held[8];

        /* Only a site that could make the count smaller is checked. */
        if (sites[i].first - from < *landed) {
            expected(job, sites, site_count, i, wanted);
            if (!fetch(job->target, seen, sites[i].address, held, job->width, &good) ||
                memcmp(held, wanted, job->width) != 0) {
                *landed = sites[i].first - from;
            }
        }
    }
    free(sites);
    free(seen);
    return good;
}

static void note_difference(core_differences *found, const site *where, const unsigned char *wanted,
                            const unsigned char *held, uint32_t width)
{
    core_mismatch mismatch = {.index = where->first, .address = where->address};

    memcpy(&mismatch.wanted, wanted, width);
    memcpy(&mismatch.found, held, width);
    core_note_mismatch(found, &mismatch);
}

/* Returns ReadVirtual's answer for memory that can't be read. */
static HRESULT refusal(const core_target *target, uint64_t address, uint32_t width)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    unsigned char bytes[8];
    ULONG read = 0;
    HRESULT status = spaces->lpVtbl->ReadVirtual(spaces, address, bytes, width, &read);

    return status == S_OK ? E_FAIL : status;
}

void scattered_differences(const scattered_job *job, core_differences *found)
{
    core_error *error = job->error;
    window *seen = calloc(1, sizeof *seen);
    uint64_t site_count = 0;
    site *sites = collect_sites(job, 0, error->count, &site_count);
    bool answers = true;

    if (seen == NULL || sites == NULL) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        error->status = CORE_UNREADABLE;
    }
    for (uint64_t i = 0; error->status == CORE_OK && i < site_count; i++) {
        unsigned char wanted[8], held[8];

        expected(job, sites, site_count, i, wanted);
        if (!fetch(job->target, seen, sites[i].address, held, job->width, &answers)) {
            core_engine_error(error, "ReadVirtual",
                              answers ? refusal(job->target, sites[i].address, job->width)
                                      : E_UNEXPECTED);
            error->status = CORE_UNREADABLE;
            error->at = sites[i].address;
            error->index = sites[i].first;
        } else if (memcmp(held, wanted, job->width) != 0) {
            note_difference(found, &sites[i], wanted, held, job->width);
        }
    }
    free(sites);
    free(seen);
}
