/* Reading back and counting; see read_back.h. */
#include "read_back.h"

#include <string.h>

#define BLOCK_BYTES 16384u

bool core_read_leading(const core_target *target, uint64_t address, unsigned char *to, ULONG size,
                       ULONG *read)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    ULONG step = size;
    bool answers = true;

    *read = 0;
    while (answers && *read < size && step > 0) {
        ULONG wanted = size - *read < step ? size - *read : step;
        ULONG moved = 0;
        HRESULT status =
            spaces->lpVtbl->ReadVirtual(spaces, address + *read, to + *read, wanted, &moved);

        if (status == S_OK && moved > 0 && moved <= wanted) {
            *read += moved;
        } else if (status == E_UNEXPECTED) {
            answers = false;
        } else {
            step = wanted / 2;
        }
    }
    return answers;
}

uint64_t core_get_bytes(const core_target *target, uint64_t address, unsigned char *to,
                        uint64_t size, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t done = 0;

    while (error->status == CORE_OK && done < size) {
        ULONG wanted = (ULONG)(size - done);
        ULONG read = 0;
        HRESULT status =
            spaces->lpVtbl->ReadVirtual(spaces, address + done, to + done, wanted, &read);

        if (status == S_OK && read > 0 && read <= wanted) {
            done += read;
        } else {
            core_engine_error(error, "ReadVirtual", status == S_OK ? E_FAIL : status);
            error->known = core_read_leading(target, address + done, to + done, wanted, &read);
            done += read;
        }
    }
    return done;
}

/* Copies up to `count` elements of the caller's, from..; returns the number that could be read. */
static uint64_t copy_own(const core_target *target, const pointer_view *view, uint64_t from,
                         uint64_t count, uint64_t *to)
{
    if (target->copy_own != NULL && view->stride == (ptrdiff_t)sizeof *to) {
        return target->copy_own(to, pointer_view_at(view, from), (size_t)count * 8) / 8;
    }
    pointer_view_gather(view, from, count, to);
    return count;
}

bool core_count_pointers(const core_target *target, uint64_t address, const pointer_view *values,
                         uint32_t width, uint64_t *landed)
{
    unsigned char block[BLOCK_BYTES];
    uint64_t own[BLOCK_BYTES / 4];
    uint64_t in_block = BLOCK_BYTES / width;
    bool answers = true, more = true;

    *landed = 0;
    while (answers && more && *landed < values->count) {
        uint64_t left = values->count - *landed;
        uint64_t count = left < in_block ? left : in_block;
        uint64_t known = copy_own(target, values, *landed, count, own);
        ULONG wanted = (ULONG)(known * width);
        ULONG read = 0;

        answers = core_read_leading(target, address + *landed * width, block, wanted, &read);
        more = known == count && read == wanted;
        for (uint64_t i = 0; answers && (i + 1) * width <= read; i++) {
            uint32_t narrow = (uint32_t)own[i];
            const void *form = width == 4 ? (const void *)&narrow : &own[i];

            if (memcmp(block + i * width, form, width) != 0) {
                more = false;
                break;
            }
            *landed += 1;
        }
    }
    return answers;
}

bool core_count_bytes(const core_target *target, uint64_t address, const unsigned char *data,
                      uint64_t size, uint64_t *landed)
{
    unsigned char own[BLOCK_BYTES];
    bool answers = true, more = true;

    *landed = 0;
    while (answers && more && *landed < size) {
        uint64_t left = size - *landed;
        size_t count = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        size_t known = count;
        uint64_t here = 0;

        if (target->copy_own != NULL) {
            known = target->copy_own(own, data + *landed, count);
        } else {
            memcpy(own, data + *landed, count);
        }
        answers =
            known == 0 || core_count_filled(target, address + *landed, own, known, known, &here);
        more = here == count;
        *landed += here;
    }
    return answers;
}

bool core_count_filled(const core_target *target, uint64_t address, const unsigned char *pattern,
                       uint64_t pattern_size, uint64_t size, uint64_t *landed)
{
    unsigned char block[BLOCK_BYTES];
    uint64_t in_pattern = 0;
    bool answers = true, more = true;

    *landed = 0;
    while (answers && more && *landed < size) {
        uint64_t left = size - *landed;
        ULONG wanted = left < BLOCK_BYTES ? (ULONG)left : BLOCK_BYTES;
        ULONG read = 0;

        answers = core_read_leading(target, address + *landed, block, wanted, &read);
        more = read == wanted;
        for (ULONG at = 0; answers && at < read; at++) {
            if (block[at] != pattern[in_pattern]) {
                more = false;
                break;
            }
            in_pattern = in_pattern + 1 < pattern_size ? in_pattern + 1 : 0;
            *landed += 1;
        }
    }
    return answers;
}

bool core_count_readable(const core_target *target, uint64_t address, uint64_t size,
                         uint64_t *readable)
{
    unsigned char block[BLOCK_BYTES];
    bool answers = true, more = true;

    *readable = 0;
    while (answers && more && *readable < size) {
        uint64_t left = size - *readable;
        ULONG wanted = left < BLOCK_BYTES ? (ULONG)left : BLOCK_BYTES;
        ULONG read = 0;

        answers = core_read_leading(target, address + *readable, block, wanted, &read);
        more = read == wanted;
        *readable += answers ? read : 0;
    }
    return answers;
}

void core_fetch_pointers(const core_target *target, uint64_t address, uint64_t count,
                         uint32_t width, uint64_t *to)
{
    unsigned char block[BLOCK_BYTES];
    uint64_t in_block = BLOCK_BYTES / width;
    uint64_t done = 0;
    bool more = true;

    while (more && done < count) {
        uint64_t left = count - done;
        ULONG wanted = (ULONG)((left < in_block ? left : in_block) * width);
        ULONG read = 0;

        more = core_read_leading(target, address + done * width, block, wanted, &read) &&
               read == wanted;
        for (ULONG at = 0; at + width <= read; at += width) {
            uint64_t value = 0;

            memcpy(&value, block + at,
                   width); /* little-endian, like every machine that the engine runs on */
            to[done++] = value;
        }
    }
}
