/* After a failure: which scattered pointers does the target hold? See scattered.h. */
#include "scattered_parts.h"

#include <stdlib.h>
#include <string.h>

#include "read_back.h"

/* What was read last: sorted addresses mostly lie in it. */
typedef struct window {
    uint64_t start;
    ULONG size;
    unsigned char bytes[SPAN_PAGE];
} window;

/* Are the `width` bytes at `address` those of `wanted`? *answers: false where the target is gone.
 */
static bool holds(const core_target *target, window *seen, uint64_t address,
                  const unsigned char *wanted, uint32_t width, bool *answers)
{
    unsigned char rest[8];
    bool same = false;

    if (address < seen->start || address - seen->start >= seen->size) {
        ULONG wish = (ULONG)(SPAN_PAGE - (address & (SPAN_PAGE - 1)));

        seen->start = address;
        seen->size = 0;
        *answers = core_read_leading(target, address, seen->bytes, wish, &seen->size);
    }
    if (*answers && address - seen->start + width <= seen->size) {
        same = memcmp(seen->bytes + (address - seen->start), wanted, width) == 0;
    } else if (*answers && seen->size > 0) { /* across the window's end */
        ULONG read = 0;

        *answers = core_read_leading(target, address, rest, width, &read);
        same = read == width && memcmp(rest, wanted, width) == 0;
    }
    return same;
}

/* One address of several entries: the value that the last of them gives it, and its place. */
typedef struct site {
    uint64_t address;
    uint64_t first, last; /* of the elements, in the caller's order */
} site;

/* The bytes that all elements together leave at sites[at]: of each byte, the last that covers it.
 * Those that can are at most width - 1 bytes away. */
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

        memcpy(form, pointer_view_at(job->values, sites[i].last), 8);
        for (uint32_t b = 0; b < width; b++) {
            uint64_t place = sites[at].address + b - sites[i].address; /* wraps where below */

            if (place < width && sites[i].last >= order[b]) {
                order[b] = sites[i].last;
                bytes[b] = form[place];
            }
        }
    }
}

bool scattered_count(const scattered_job *job, uint64_t from, uint64_t count, uint64_t *landed)
{
    radix_entry *entries = NULL, *spare = NULL, *sorted;
    window *seen = malloc(sizeof *seen);
    site *sites = NULL;
    uint64_t site_count = 0;
    bool good = count <= SIZE_MAX / sizeof *entries && seen != NULL;

    *landed = count;
    if (good) {
        entries = malloc((size_t)count * sizeof *entries + 1);
        spare = malloc((size_t)count * sizeof *spare + 1);
        good = entries != NULL && spare != NULL;
    }
    if (!good) {
        goto done;
    }
    for (uint64_t i = 0; i < count; i++) {
        entries[i].key = scattered_address(job, from + i);
        entries[i].value = from + i;
    }
    sorted = radix_sort(entries, spare, (size_t)count, 0);
    /* Elements with one address are neighbours now, in the caller's order. */
    for (uint64_t i = 0; i < count; i++) {
        site_count += i == 0 || sorted[i].key != sorted[i - 1].key ? 1 : 0;
    }
    sites = site_count <= SIZE_MAX / sizeof *sites ? malloc((size_t)site_count * sizeof *sites + 1)
                                                   : NULL;
    good = sites != NULL;
    site_count = 0;
    for (uint64_t i = 0; good && i < count; i++) {
        if (i == 0 || sorted[i].key != sorted[i - 1].key) {
            sites[site_count].address = sorted[i].key;
            sites[site_count].first = sorted[i].value;
            site_count++;
        }
        sites[site_count - 1].last = sorted[i].value;
    }
    seen->start = 0;
    seen->size = 0;
    for (uint64_t i = 0; good && i < site_count; i++) {
        unsigned char wanted[8];

        /* Only a site that could make the count smaller is looked at. */
        if (sites[i].first - from < *landed) {
            expected(job, sites, site_count, i, wanted);
            if (!holds(job->target, seen, sites[i].address, wanted, job->width, &good)) {
                *landed = sites[i].first - from;
            }
        }
    }
done:
    free(sites);
    free(spare);
    free(entries);
    free(seen);
    return good;
}
