/* Telling the kinds of the elements that an undo finds, and picking those of a kind; see
 * classify.h. */
#include "classify.h"

#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define LOW_BITS  (EACH_BYTE * 0x7f)

/* Returns a byte of 1 for each byte that differs, and of 0 for each that is equal. */
static uint64_t differing(uint64_t one, uint64_t other)
{
    uint64_t bits = one ^ other;

    return ((((bits & LOW_BITS) + LOW_BITS) | bits) >> 7) & EACH_BYTE;
}

/* Returns up to eight bytes as a number. */
static uint64_t load(const unsigned char *bytes, size_t size)
{
    uint64_t number = 0;

    memcpy(&number, bytes, size);
    return number;
}

static void classify_bytes(const unsigned char *found, const unsigned char *old,
                           const unsigned char *written, size_t count, unsigned char *kinds)
{
    for (size_t at = 0; at < count; at += 8) {
        size_t size = count - at < 8 ? count - at : 8;
        uint64_t here = load(found + at, size);
        uint64_t not_old = differing(here, load(old + at, size));
        uint64_t neither = not_old & differing(here, load(written + at, size));
        uint64_t eight = EACH_BYTE + not_old + 2 * neither;

        memcpy(kinds + at, &eight, size);
    }
}

static unsigned char kind_of(uint64_t found, uint64_t old, uint64_t written, bool mixed)
{
    unsigned not_old = found != old;
    bool strange =
        mixed ? (differing(found, old) & differing(found, written)) != 0 : found != written;
    unsigned neither = not_old & (strange ? 1u : 0u);

    return (unsigned char)(1u + not_old + 2u * neither);
}

void core_classify(const unsigned char *found, const unsigned char *old,
                   const unsigned char *written, size_t count, uint32_t unit, bool mixed,
                   unsigned char *kinds)
{
    if (unit == 1) {
        classify_bytes(found, old, written, count, kinds);
    } else if (unit == 8) {
        for (size_t i = 0; i < count; i++) {
            kinds[i] = kind_of(load(found + 8 * i, 8), load(old + 8 * i, 8),
                               load(written + 8 * i, 8), mixed);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            kinds[i] = kind_of(load(found + 4 * i, 4), load(old + 4 * i, 4),
                               load(written + 4 * i, 4), mixed);
        }
    }
}

size_t core_count_classified(const unsigned char *kinds, size_t count, unsigned set)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        found += (kinds[i] & set) != 0;
    }
    return found;
}

void core_pick_classified(const unsigned char *data, size_t count, uint32_t unit,
                          const unsigned char *kinds, unsigned set, unsigned char *to)
{
    for (size_t i = 0; i < count; i++) {
        if ((kinds[i] & set) != 0) {
            memcpy(to, data + unit * i, unit);
            to += unit;
        }
    }
}

void core_place_classified(uint64_t address, size_t count, uint32_t unit,
                           const unsigned char *kinds, unsigned set, unsigned char *to)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t place = address + unit * (uint64_t)i;

        if ((kinds[i] & set) != 0) {
            memcpy(to, &place, sizeof place);
            to += sizeof place;
        }
    }
}
