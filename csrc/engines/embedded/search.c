/* SearchVirtual and GetValidRegionVirtual over a target's regions.
 *
 * Memory that can't be read can't match: a search goes on behind it.
 */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#define SEARCH_BLOCK 65536u

static bool readable(const MEMORY_BASIC_INFORMATION64 *region)
{
    return region->State == MEM_COMMIT && region->Protect != PAGE_NOACCESS &&
           region->Protect != PAGE_EXECUTE;
}

/* The next stretch of readable memory at or after `address`, joined over neighbouring regions, up
 * to and with `last`. False when there is none. */
static bool next_readable(embedded_target *embedded, uint64_t address, uint64_t last,
                          uint64_t *from, uint64_t *to)
{
    bool found = false, more = true;

    while (more) {
        MEMORY_BASIC_INFORMATION64 region;
        uint64_t region_last = 0;

        more = embedded->operations->query(embedded, address, &region) == S_OK;
        if (more) {
            region_last = region.BaseAddress + (region.RegionSize - 1);
            if (readable(&region)) {
                if (!found) {
                    *from = address;
                }
                found = true;
                *to = region_last < last ? region_last : last;
            } else if (found) {
                more = false;
            }
            if (region_last >= last) {
                more = false;
            }
            address = region_last + 1;
        }
    }
    return found;
}

/* Reads as many leading bytes as can be read, however short single transfers come out. False: the
 * target has gone. */
static bool read_leading(embedded_target *embedded, uint64_t from, unsigned char *block,
                         size_t wanted, size_t *read)
{
    HRESULT status = S_OK;
    size_t moved = 1;

    *read = 0;
    while (*read < wanted && moved > 0 && status != E_UNEXPECTED) {
        status = embedded->operations->read(embedded, from + *read, block + *read, wanted - *read,
                                            &moved);
        *read += moved;
    }
    return status != E_UNEXPECTED;
}

/* Searches one stretch; matches start at `origin` plus multiples of the granularity. The protection
 * of a stretch lets it be read; a part of it that can't be read all the same is passed over. */
static bool search_stretch(embedded_target *embedded, uint64_t from, uint64_t to, uint64_t origin,
                           const unsigned char *pattern, uint32_t size, uint32_t granularity,
                           unsigned char *block, uint64_t *match, HRESULT *status)
{
    bool found = false;

    while (!found && *status == S_OK && to - from >= (uint64_t)size - 1) {
        uint64_t left = to - from; /* one less than the bytes left */
        size_t wanted = left < (uint64_t)SEARCH_BLOCK + size - 1 ? (size_t)left + 1
                                                                 : (size_t)SEARCH_BLOCK + size;
        uint64_t skip = (granularity - (from - origin) % granularity) % granularity;
        uint64_t passed = 0; /* how far the next block begins behind this one */
        size_t read = 0;

        if (!read_leading(embedded, from, block, wanted, &read)) {
            *status = E_UNEXPECTED;
        } else {
            for (uint64_t i = skip; !found && read >= size && i <= read - size; i += granularity) {
                if (memcmp(block + i, pattern, size) == 0) {
                    *match = from + i;
                    found = true;
                }
            }
        }
        if (read < wanted) {
            /* Access can change at the next granule: behind the byte that could not be read. */
            passed = embedded->granule - (from + read) % embedded->granule + read;
        } else {
            passed = SEARCH_BLOCK;
        }
        if (left < passed) {
            break;
        }
        from += passed;
    }
    return found;
}

HRESULT embedded_search(embedded_target *embedded, uint64_t address, uint64_t length,
                        const void *pattern, uint32_t pattern_size, uint32_t granularity,
                        uint64_t *match)
{
    HRESULT status = HR_NOT_FOUND;
    HRESULT reading = S_OK;
    unsigned char *block = NULL;
    uint64_t origin = address, last = 0;
    bool more = true;

    /* "The pattern size must be a multiple of the granularity" (searchvirtual). */
    if (pattern == NULL || match == NULL || granularity == 0 || pattern_size % granularity != 0) {
        status = E_INVALIDARG;
        goto done;
    }
    if (pattern_size == 0) {
        *match = address; /* nothing is everywhere, whatever lies there: observed */
        status = S_OK;
        goto done;
    }
    if (length < pattern_size) {
        goto done;
    }
    block = malloc((size_t)SEARCH_BLOCK + pattern_size);
    if (block == NULL) {
        status = E_OUTOFMEMORY;
        goto done;
    }
    last = address + (length - 1);
    while (more) {
        uint64_t from = 0, to = 0;

        more = next_readable(embedded, address, last, &from, &to);
        if (more && search_stretch(embedded, from, to, origin, pattern, pattern_size, granularity,
                                   block, match, &reading)) {
            status = S_OK;
            more = false;
        }
        if (reading != S_OK) {
            status = reading;
            more = false;
        }
        if (more && to == last) {
            more = false;
        }
        address = to + 1;
    }
done:
    free(block);
    return status;
}

/* None is S_OK with base 0 and size 0, as observed on the genuine engine. */
HRESULT embedded_first_valid_region(embedded_target *embedded, uint64_t base, uint64_t size,
                                    uint64_t *valid_base, ULONG *valid_size)
{
    uint64_t from = 0, to = 0;

    if (size > 0 && next_readable(embedded, base, base + (size - 1), &from, &to)) {
        *valid_base = from;
        *valid_size = (ULONG)(to - from + 1);
    } else {
        *valid_base = 0;
        *valid_size = 0;
    }
    return S_OK;
}
