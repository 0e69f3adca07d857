/* Pointers in a target's memory, narrowed and widened for a 32-bit target.
 *
 * Transfers move pointers in order and stop at the first failure. The pointers before it stay
 * written, and no byte of the failing pointer changes (observed on dbgeng, docs/engine.md).
 */
#include "pointers.h"

#include <stdlib.h>
#include <string.h>

#include "../../com/hresult.h"

/* The number of pointers narrowed or widened at a time. Small requests use 32 KiB on the stack.
 * Larger requests use as much as fits in the processor's second-level cache beside the caller's
 * part, since each transfer is a new request to a live process, which costs as much as some
 * thousand pointers. */
#define FEW_POINTERS  8192u
#define MANY_POINTERS 65536u

/* Returns how many of `count` pointers from `address` on fit in one transfer that can't end inside
 * a pointer. 0: the first pointer itself crosses a boundary of the granule. */
static uint64_t whole_pointers(const embedded_target *embedded, uint64_t address, uint64_t count,
                               uint32_t width)
{
    uint64_t granule = embedded->granule;
    uint64_t whole = count;

    if (granule % width != 0) {
        whole = 0;
    } else if (address % width != 0) {
        whole = (granule - address % granule) / width;
    }
    return whole < count ? whole : count;
}

/* True if the map shows writable pages at the address. */
static bool looks_writable(embedded_target *embedded, uint64_t address)
{
    MEMORY_BASIC_INFORMATION64 page = {0};

    return embedded->operations->query(embedded, address, &page) == S_OK &&
           page.State == MEM_COMMIT &&
           (page.Protect == PAGE_READWRITE || page.Protect == PAGE_EXECUTE_READWRITE);
}

/* Writes one pointer that crosses a boundary: all its bytes or none of them.
 *
 * If the second part fails, the first part is rolled back. Linux has pages that can be written but
 * not read. A part in such a page can't be rolled back, so it is written second. If both parts are
 * in such pages, the map decides which may be written first.
 */
static HRESULT write_across(embedded_target *embedded, uint64_t address, const unsigned char *data,
                            uint32_t width)
{
    uint64_t granule = embedded->granule;
    size_t low = granule % width == 0 ? (size_t)(granule - address % granule) : width;
    size_t high = width - low;
    unsigned char old[8];
    size_t held = 0, held_high = 0, moved = 0, restored = 0;
    HRESULT status = S_OK;

    (void)embedded_read(embedded, address, old, width, &held);
    if (held < low && high > 0) {
        (void)embedded_read(embedded, address + low, old + low, high, &held_high);
    }
    if (held < low && high > 0 && (held_high == high || !looks_writable(embedded, address + low))) {
        status = embedded_write(embedded, address + low, data + low, high, &moved);
        if (status == S_OK) {
            status = embedded_write(embedded, address, data, low, &moved);
            if (status != S_OK && held_high == high) {
                (void)embedded_write(embedded, address + low, old + low, high, &restored);
            }
        }
    } else {
        status = embedded_write(embedded, address, data, width, &moved);
        if (status != S_OK && moved > 0 && held >= moved) {
            (void)embedded_write(embedded, address, old, moved, &restored);
        }
    }
    return status;
}

/* Writes `count` values of `width` bytes each, already in the target's form. */
static HRESULT write_values(embedded_target *embedded, uint64_t address, const unsigned char *data,
                            uint64_t count, uint32_t width)
{
    uint64_t fitting = bytes_before_wrap(address, count * width) / width;
    bool wraps = fitting < count;
    HRESULT status = S_OK;

    while (fitting > 0 && status == S_OK) {
        uint64_t run = whole_pointers(embedded, address, fitting, width);

        if (run == 0) {
            status = write_across(embedded, address, data, width);
            run = 1;
        } else {
            size_t moved = 0;

            status = embedded_write(embedded, address, data, (size_t)(run * width), &moved);
        }
        address += run * width;
        data += run * width;
        fitting -= run;
    }
    return status == S_OK && wraps ? HR_INVALID_ADDRESS : status;
}

/* Reads up to `count` values. *done is the number of values read; no byte after them changes. */
static HRESULT read_values(embedded_target *embedded, uint64_t address, unsigned char *data,
                           uint64_t count, uint32_t width, uint64_t *done)
{
    uint64_t fitting = bytes_before_wrap(address, count * width) / width;
    bool wraps = fitting < count;
    HRESULT status = S_OK;

    *done = 0;
    while (*done < fitting && status == S_OK) {
        uint64_t left = fitting - *done;
        uint64_t run = whole_pointers(embedded, address, left, width);
        unsigned char across[8];
        size_t moved = 0;

        if (run == 0) {
            status = embedded_read(embedded, address, across, width, &moved);
            if (status == S_OK) {
                memcpy(data, across, width);
            } else if (moved > 0 && status == HR_READ_FAULT) {
                status = E_FAIL; /* only part of a pointer can be read: observed */
            }
            run = status == S_OK ? 1 : 0;
        } else {
            status = embedded_read(embedded, address, data, (size_t)(run * width), &moved);
            run = moved / width;
        }
        address += run * width;
        data += run * width;
        *done += run;
    }
    return status == S_OK && wraps ? HR_READ_FAULT : status;
}

static HRESULT read_narrow(embedded_target *embedded, uint64_t address, uint64_t *pointers,
                           uint64_t count)
{
    uint32_t narrow[FEW_POINTERS];
    HRESULT status = S_OK;
    uint64_t done = 0;

    while (status == S_OK && count > 0) {
        uint64_t run = count < FEW_POINTERS ? count : FEW_POINTERS;

        status = read_values(embedded, address, (unsigned char *)narrow, run, 4, &done);
        for (uint64_t i = 0; i < done; i++) {
            /* Zero-extended, except the value with all bits set, as observed. */
            pointers[i] = narrow[i] == UINT32_MAX ? UINT64_MAX : narrow[i];
        }
        /* If this run ended at 2^64, the next one would start past it. */
        if (status == S_OK && run < count && address > UINT64_MAX - run * 4) {
            status = HR_READ_FAULT;
        }
        pointers += done;
        address += done * 4;
        count -= done;
    }
    return status;
}

static void narrow_values(const uint64_t *restrict values, uint64_t count, uint32_t *restrict to)
{
    for (uint64_t i = 0; i < count; i++) {
        to[i] = (uint32_t)values[i]; /* the cast of Microsoft's remark */
    }
}

static HRESULT write_narrow(embedded_target *embedded, uint64_t address, const uint64_t *pointers,
                            uint64_t count)
{
    uint32_t few[FEW_POINTERS];
    uint64_t most = count < MANY_POINTERS ? count : MANY_POINTERS; /* at a time */
    uint32_t *many = count > FEW_POINTERS ? malloc((size_t)most * sizeof *many) : NULL;
    uint32_t *narrow = many == NULL ? few : many; /* if memory is short, in more steps */
    HRESULT status = S_OK;

    most = many == NULL ? FEW_POINTERS : most;
    if (embedded->operations->write_narrow != NULL && count > FEW_POINTERS &&
        bytes_before_wrap(address, count * 4) == count * 4) {
        size_t written =
            embedded->operations->write_narrow(embedded, address, pointers, (size_t)count, false);

        pointers += written;
        address += written * 4;
        count -= written;
    }
    while (status == S_OK && count > 0) {
        uint64_t run = count < most ? count : most;

        narrow_values(pointers, run, narrow);
        status = write_values(embedded, address, (const unsigned char *)narrow, run, 4);
        if (status == S_OK && run < count && address > UINT64_MAX - run * 4) {
            status = HR_INVALID_ADDRESS;
        }
        pointers += run;
        address += run * 4;
        count -= run;
    }
    free(many);
    return status;
}

HRESULT embedded_read_pointers(embedded_target *embedded, uint32_t width, uint64_t address,
                               uint64_t *pointers, uint64_t count)
{
    uint64_t done = 0;

    return width == 8 ? read_values(embedded, address, (unsigned char *)pointers, count, 8, &done)
                      : read_narrow(embedded, address, pointers, count);
}

HRESULT embedded_write_pointers(embedded_target *embedded, uint32_t width, uint64_t address,
                                const uint64_t *pointers, uint64_t count)
{
    return width == 8 ? write_values(embedded, address, (const unsigned char *)pointers, count, 8)
                      : write_narrow(embedded, address, pointers, count);
}
