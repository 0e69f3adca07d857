/* Copying and checking the caller's pointers; see pointer_view.h. */
#include "pointer_view.h"

#include <string.h>

bool pointer_view_is_direct(const pointer_view *view)
{
    return (view->stride == (ptrdiff_t)sizeof(uint64_t) || view->count <= 1) &&
           (uintptr_t)view->first % sizeof(uint64_t) == 0;
}

const unsigned char *pointer_view_at(const pointer_view *view, uint64_t index)
{
    return view->first + (ptrdiff_t)index * view->stride;
}

void pointer_view_gather(const pointer_view *view, uint64_t from, uint64_t count, uint64_t *to)
{
    const unsigned char *source = pointer_view_at(view, from);

    if (view->stride == (ptrdiff_t)sizeof(uint64_t)) {
        memcpy(to, source, (size_t)count * sizeof(uint64_t));
    } else {
        for (uint64_t i = 0; i < count; i++) {
            memcpy(&to[i], source, sizeof(uint64_t));
            source += view->stride;
        }
    }
}

/* Adding 2^31 brings the values that a 32-bit target can hold to 0..2^32+2^31-1: a value is wide if
 * its sum has a bit above bit 32, or bits 31 and 32 both. No branch and no comparison, so that
 * compilers vectorise the loops with the plainest vector instructions. */
typedef struct wide_bits {
    uint64_t any;  /* all sums, or'ed: bits 33.. say wide */
    uint64_t both; /* sums whose bit 31 was moved to 32 and met it there: bit 32 says wide */
} wide_bits;

#define BIAS UINT64_C(0x80000000)

static bool has_wide(wide_bits bits)
{
    return ((bits.any >> 33) | (bits.both >> 32)) != 0;
}

static wide_bits gather_bits(const unsigned char *source, size_t count)
{
    wide_bits bits = {0, 0};

    for (size_t i = 0; i < count; i++) {
        uint64_t sum;

        memcpy(&sum, source + i * sizeof sum, sizeof sum);
        sum += BIAS;
        bits.any |= sum;
        bits.both |= sum & (sum << 1);
    }
    return bits;
}

uint64_t pointer_view_find_wide(const pointer_view *view, uint64_t from, uint64_t count)
{
    const unsigned char *source = pointer_view_at(view, from);
    uint64_t i = 0;

    if (view->stride == (ptrdiff_t)sizeof(uint64_t)) {
        while (count - i >= 1024 && !has_wide(gather_bits(source + i * sizeof(uint64_t), 1024))) {
            i += 1024;
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

/* Narrows what is our own copy, and says whether a value was wide. */
static wide_bits narrow(const uint64_t *restrict values, size_t count, uint32_t *restrict to)
{
    wide_bits bits = {0, 0};

    for (size_t i = 0; i < count; i++) {
        uint64_t sum = values[i] + BIAS;

        bits.any |= sum;
        bits.both |= sum & (sum << 1);
        to[i] = (uint32_t)values[i];
    }
    return bits;
}

uint64_t pointer_view_pack(const pointer_view *view, uint64_t from, uint64_t count, uint32_t width,
                           bool check, void *to, uint64_t *wide)
{
    uint64_t values[1024];
    uint64_t done = 0;
    bool clean = true;

    if (width == 8) {
        pointer_view_gather(view, from, count, to);
        done = count;
    }
    while (done < count && clean) {
        uint32_t *part = (uint32_t *)to + done;
        uint64_t run = count - done < 1024 ? count - done : 1024;
        wide_bits bits;

        pointer_view_gather(view, from + done, run, values);
        bits = narrow(values, (size_t)run, part);
        if (check && has_wide(bits)) {
            uint64_t i = 0;

            while (!pointer_is_wide(values[i])) {
                i++;
            }
            *wide = values[i];
            run = i;
            clean = false;
        }
        done += run;
    }
    return done;
}
