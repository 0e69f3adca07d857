/* Copying and checking the caller's pointers; see pointer_view.h. */
#include "pointer_view.h"

#include <string.h>

pointer_view pointer_view_part(const pointer_view *view, uint64_t from, uint64_t count)
{
    pointer_view part = {pointer_view_at(view, from), view->stride, count};

    return part;
}

void pointer_view_gather(const pointer_view *view, uint64_t from, uint64_t count, uint64_t *to)
{
    const unsigned char *source = pointer_view_at(view, from);
    ptrdiff_t stride = view->stride;
    uint64_t quarter = count / 4;

    if (stride == (ptrdiff_t)sizeof(uint64_t)) {
        memcpy(to, source, (size_t)count * sizeof(uint64_t));
    } else {
        for (uint64_t i = 0; i < quarter; i++) { /* four at a time: see any_of() */
            memcpy(&to[4 * i], source, sizeof(uint64_t));
            memcpy(&to[4 * i + 1], source + stride, sizeof(uint64_t));
            memcpy(&to[4 * i + 2], source + 2 * stride, sizeof(uint64_t));
            memcpy(&to[4 * i + 3], source + 3 * stride, sizeof(uint64_t));
            source += 4 * stride;
        }
        for (uint64_t i = 4 * quarter; i < count; i++) {
            memcpy(&to[i], source, sizeof(uint64_t));
            source += stride;
        }
    }
}

/* Values checked, copied or narrowed at a time: they stay in the processor's first cache. */
#define BLOCK 1024u

static inline uint64_t value_at(const unsigned char *source, size_t index)
{
    uint64_t value;

    memcpy(&value, source + index * sizeof value, sizeof value);
    return value;
}

/* Returns all values or'ed. It handles four quarters at once, since a loop around a single vector
 * instruction would take as long as the loop's own overhead, at whatever address the compiler
 * places it. */
static uint64_t any_of(const unsigned char *source, size_t count)
{
    size_t quarter = count / 4;
    uint64_t any = 0;

    for (size_t i = 0; i < quarter; i++) {
        any |= value_at(source, i) | value_at(source, i + quarter) |
               value_at(source, i + 2 * quarter) | value_at(source, i + 3 * quarter);
    }
    for (size_t i = 4 * quarter; i < count; i++) {
        any |= value_at(source, i);
    }
    return any;
}

/* Returns whether a block holds a wide value. Most blocks have no bit set in any upper half. In the
 * others, adding 2^31 brings the values that a 32-bit target can hold to 0..2^32+2^31-1, so a value
 * is wide if its sum has a bit above bit 32, or both bits 31 and 32. There is no branch and no
 * comparison, so that compilers vectorise the loops with the plainest vector instructions. */
static bool block_has_wide(const unsigned char *source, size_t count)
{
    uint64_t any = 0;  /* all sums, or'ed: a bit from 33 on means wide */
    uint64_t both = 0; /* bit 32 is set if some sum has both bit 31 and bit 32 */

    if (any_of(source, count) >> 32 != 0) {
        for (size_t i = 0; i < count; i++) {
            uint64_t sum = value_at(source, i) + UINT64_C(0x80000000);

            any |= sum;
            both |= sum & (sum << 1);
        }
    }
    return ((any >> 33) | (both >> 32)) != 0;
}

uint64_t pointer_view_find_wide(const pointer_view *view, uint64_t from, uint64_t count)
{
    const unsigned char *source = pointer_view_at(view, from);
    uint64_t i = 0;

    if (view->stride == (ptrdiff_t)sizeof(uint64_t)) {
        while (count - i >= BLOCK && !block_has_wide(source + i * sizeof(uint64_t), BLOCK)) {
            i += BLOCK;
        }
    }
    for (; i < count; i++) {
        uint64_t value;

        memcpy(&value, source + (ptrdiff_t)i * view->stride, sizeof value);
        if (pointer_is_wide(value)) {
            break;
        }
    }
    return i;
}

/* The next two functions copy values and return all of them or'ed. Each value is loaded once, so
 * that the copied value is the checked one even if the source changes meanwhile. Two halves at
 * once: see any_of(). */
static uint64_t copy_wide(const unsigned char *restrict source, size_t count, uint64_t *restrict to)
{
    size_t half = count / 2;
    uint64_t any = 0;

    for (size_t i = 0; i < half; i++) {
        uint64_t value = value_at(source, i), other = value_at(source, i + half);

        any |= value | other;
        to[i] = value;
        to[i + half] = other;
    }
    for (size_t i = 2 * half; i < count; i++) {
        to[i] = value_at(source, i);
        any |= to[i];
    }
    return any;
}

static uint64_t copy_narrow(const unsigned char *restrict source, size_t count,
                            uint32_t *restrict to)
{
    size_t half = count / 2;
    uint64_t any = 0;

    for (size_t i = 0; i < half; i++) {
        uint64_t value = value_at(source, i), other = value_at(source, i + half);

        any |= value | other;
        to[i] = (uint32_t)value;
        to[i + half] = (uint32_t)other;
    }
    for (size_t i = 2 * half; i < count; i++) {
        uint64_t value = value_at(source, i);

        any |= value;
        to[i] = (uint32_t)value;
    }
    return any;
}

/* Packs neighbours that have no bit set in any upper half, in one pass over the caller's memory.
 * False: there is such a bit, and the contents of `to` mean nothing. */
static bool pack_small(const unsigned char *source, size_t count, uint32_t width, void *to)
{
    uint64_t any = width == 8 ? copy_wide(source, count, to) : copy_narrow(source, count, to);

    return any >> 32 == 0;
}

uint64_t pointer_view_pack(const pointer_view *view, uint32_t width, bool check, void *to,
                           uint64_t *wide)
{
    uint64_t count = view->count;
    bool neighbours = view->stride == (ptrdiff_t)sizeof(uint64_t);
    uint64_t values[BLOCK];
    uint64_t done = 0;
    bool clean = true;

    if (width == 8 && !check) {
        pointer_view_gather(view, 0, count, to);
        done = count;
    }
    while (done < count && clean) {
        uint64_t run = count - done < BLOCK ? count - done : BLOCK;
        unsigned char *part = (unsigned char *)to + done * width;

        if (!neighbours || !pack_small(pointer_view_at(view, done), (size_t)run, width, part)) {
            pointer_view_gather(view, done, run, values);
            if (check && block_has_wide((const unsigned char *)values, (size_t)run)) {
                uint64_t i = 0;

                while (!pointer_is_wide(values[i])) {
                    i++;
                }
                *wide = values[i];
                run = i;
                clean = false;
            }
            if (width == 8) {
                memcpy(part, values, (size_t)run * 8);
            } else {
                (void)copy_narrow((const unsigned char *)values, (size_t)run,
                                  (uint32_t *)(void *)part);
            }
        }
        done += run;
    }
    return done;
}
