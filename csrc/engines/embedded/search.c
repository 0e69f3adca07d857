/* SearchVirtual and GetValidRegionVirtual over a target's regions.
 *
 * Unreadable memory can't match: a search continues after it.
 */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "../../com/hresult.h"
#include "../../core/search/words.h"

/* Fits a processor's second-level cache. */
#define SEARCH_BLOCK 262144u

static bool readable(const MEMORY_BASIC_INFORMATION64 *region)
{
    return region->State == MEM_COMMIT && region->Protect != PAGE_NOACCESS &&
           region->Protect != PAGE_EXECUTE;
}

/* Finds the next stretch of readable memory at or after `address`, joined over neighbouring
 * regions, up to and including `last`. False if there is none. */
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

/* Reads as many leading bytes as are readable, even if single transfers end early. False: the
 * target has ended. */
static bool read_leading(embedded_target *embedded, uint64_t from, unsigned char *block,
                         size_t wanted, size_t *read)
{
    HRESULT status = S_OK;
    size_t moved = 1;

    *read = 0;
    while (*read < wanted && moved > 0 && status != E_UNEXPECTED) {
        status = embedded_read(embedded, from + *read, block + *read, wanted - *read, &moved);
        *read += moved;
    }
    return status != E_UNEXPECTED;
}

typedef struct search {
    embedded_target *embedded;
    const embedded_pattern *pattern;
    search_words words;   /* the first bytes of the pattern, up to 8 */
    uint64_t origin;      /* matches start here plus multiples of the granularity */
    unsigned char *block; /* SEARCH_BLOCK bytes plus the pattern size, and 8 more */
    uint64_t match;
    uint64_t unasked; /* of embedded_goes_on() */
} search;

/* Returns the words with which a match begins. A short pattern is compared under a mask. */
static search_words first_words(const embedded_pattern *pattern)
{
    uint32_t size = pattern->size < 8 ? pattern->size : 8;
    uint32_t step = pattern->granularity & (0 - pattern->granularity); /* its power of two */
    unsigned char bytes[8] = {0}, bits[8] = {0};
    uint64_t word, mask;

    memcpy(bytes, pattern->bytes, size);
    memset(bits, 0xFF, size);
    memcpy(&word, bytes, sizeof word);
    memcpy(&mask, bits, sizeof mask);
    return search_words_range(word, word, mask, 8, step < 8 ? step : 8);
}

/* Searches the block for the first match. The block holds `held` bytes from `from` on. */
static bool search_block(search *self, uint64_t from, size_t held)
{
    const embedded_pattern *pattern = self->pattern;
    uint32_t granularity = pattern->granularity;
    size_t first = (granularity - (from - self->origin) % granularity) % granularity;
    size_t more = pattern->size < 8 ? 8 - pattern->size : 0; /* a word's bytes behind a match */
    size_t last = held < pattern->size ? 0 : held - pattern->size;
    size_t size, at = 0;

    if (held < pattern->size || first > last) {
        return false;
    }
    memset(self->block + held, 0, more);
    size = held + more - first;
    while ((at = search_words_next(&self->words, self->block + first, size, at)) <= last - first) {
        if (at % granularity == 0 &&
            memcmp(self->block + first + at, pattern->bytes, pattern->size) == 0) {
            self->match = from + first + at;
            return true;
        }
        at += self->words.bounds.step;
    }
    return false;
}

/* Searches one stretch: S_OK, HR_NOT_FOUND, E_UNEXPECTED if the target has ended, or E_ABORT. The
 * protection of a stretch permits reading; a part of it that nevertheless can't be read is skipped.
 */
static HRESULT search_stretch(search *self, uint64_t from, uint64_t to)
{
    uint64_t size = self->pattern->size, granule = self->embedded->granule;

    while (to - from >= size - 1) {
        uint64_t left = to - from; /* the number of bytes left, less one */
        size_t wanted =
            left < SEARCH_BLOCK + size - 1 ? (size_t)left + 1 : (size_t)(SEARCH_BLOCK + size);
        uint64_t passed = SEARCH_BLOCK; /* the distance from this block to the next */
        size_t read = 0;

        if (!read_leading(self->embedded, from, self->block, wanted, &read)) {
            return E_UNEXPECTED;
        }
        if (search_block(self, from, read)) {
            return S_OK;
        }
        if (read < wanted) {
            /* Access can change at the next granule after the byte that could not be read. */
            passed = granule - (from + read) % granule + read;
        }
        if (left < passed) {
            break;
        }
        if (!embedded_goes_on(self->embedded, &self->unasked, passed)) {
            return E_ABORT;
        }
        from += passed;
    }
    return HR_NOT_FOUND;
}

HRESULT embedded_search(embedded_target *embedded, uint64_t address, uint64_t length,
                        const embedded_pattern *pattern, uint64_t *match)
{
    search self = {.embedded = embedded, .pattern = pattern, .origin = address};
    uint64_t from = 0, to = 0, last = address + (length - 1);
    HRESULT status = HR_NOT_FOUND;

    /* "The pattern size must be a multiple of the granularity" (searchvirtual). */
    if (pattern->bytes == NULL || match == NULL || pattern->granularity == 0 ||
        pattern->size % pattern->granularity != 0) {
        return E_INVALIDARG;
    }
    if (pattern->size == 0) {
        *match = address; /* an empty pattern matches at any address: observed */
        return S_OK;
    }
    if (length < pattern->size) {
        return HR_NOT_FOUND;
    }
    self.words = first_words(pattern);
    self.block = malloc((size_t)SEARCH_BLOCK + pattern->size + sizeof(uint64_t));
    if (self.block == NULL) {
        return E_OUTOFMEMORY;
    }
    while (status == HR_NOT_FOUND && next_readable(embedded, address, last, &from, &to)) {
        status = search_stretch(&self, from, to);
        if (to == last) {
            break;
        }
        address = to + 1;
    }
    if (status == S_OK) {
        *match = self.match;
    }
    free(self.block);
    return status;
}

void embedded_first_valid_region(embedded_target *embedded, uint64_t base, uint64_t size,
                                 uint64_t *valid_base, ULONG *valid_size)
{
    uint64_t from = 0, to = 0;
    bool found = size > 0 && next_readable(embedded, base, base + (size - 1), &from, &to);

    *valid_base = found ? from : 0;
    *valid_size = found ? (ULONG)(to - from + 1) : 0;
}
