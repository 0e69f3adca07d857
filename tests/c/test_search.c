/* Tests of searching words: every way to look at many words against a plain loop, on random memory
 * at every alignment and size. */
#include "../../csrc/core/search/words.h"

#include <string.h>

#include "check.h"

#define MOST (SEARCH_GROUP * 5 + 24)

static uint64_t seed = 88172645463325252u;

/* xorshift64 (Marsaglia, 2003). */
static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static bool inside(uint64_t word, const search_bounds *bounds)
{
    return (word & bounds->mask) - bounds->low <= bounds->span;
}

static uint64_t load(const unsigned char *at, uint32_t width)
{
    uint64_t word = 0;

    for (uint32_t i = 0; i < width; i++) {
        word |= (uint64_t)at[i] << 8 * i;
    }
    return word;
}

/* Random bounds, often such that words lie near them. */
static search_bounds some_bounds(void)
{
    uint32_t width = chance() % 2 == 0 ? 8 : 4;
    uint32_t steps[] = {1, 2, 4, 8};
    uint64_t top = width == 8 ? UINT64_MAX : UINT32_MAX;
    uint64_t low = chance() >> chance() % 64 & top, high = chance() >> chance() % 64 & top;
    search_bounds bounds = {.mask = top, .low = low < high ? low : high, .width = width};

    bounds.span = chance() % 2 == 0 ? 0 : (low < high ? high - low : low - high);
    bounds.step = steps[chance() % (width == 8 ? 4 : 3)];
    if (chance() % 3 == 0) {
        bounds.mask = chance() & top;
    }
    return bounds;
}

/* Fills memory with words, of which few or many are near the bounds. */
static void fill(unsigned char *memory, size_t size, const search_bounds *bounds)
{
    uint64_t often = chance() % 3 == 0 ? 2 : 200;

    for (size_t i = 0; i < size; i++) {
        memory[i] = (unsigned char)(chance() >> 8);
    }
    for (size_t i = 0; i + 8 <= size; i++) {
        uint64_t near = bounds->low + (chance() % 2 == 0 ? 0 : bounds->span) + chance() % 3 - 1;

        if (chance() % often == 0) {
            memcpy(memory + i, &near, bounds->width);
        }
    }
}

/* Each way may stop before the first group with a word inside the bounds, never behind it. The
 * portable one, AVX2 and NEON stop exactly there. */
static void test_ways(void)
{
    search_lanes ways[SEARCH_MOST_WAYS];
    size_t count = search_lanes_all(ways);
    unsigned char memory[MOST];

    CHECK(count >= 1);
    CHECK(search_lanes_best() == ways[count - 1]);
    for (int round = check_rounds(20000); round > 0; round--) {
        search_bounds bounds = some_bounds();
        size_t shift = chance() % 9, groups = chance() % 6, first = groups;
        const unsigned char *data = memory + shift;

        fill(memory, sizeof memory, &bounds);
        groups = groups > 4 ? 4 : groups;
        for (size_t group = first = groups; group > 0; group--) {
            for (uint32_t at = 0; at < SEARCH_GROUP; at += bounds.step) {
                size_t place = (group - 1) * SEARCH_GROUP + at;

                if (inside(load(data + place, bounds.width), &bounds)) {
                    first = group - 1;
                }
            }
        }
        CHECK_EQUAL(ways[0](data, groups, &bounds), first);
        for (size_t i = 1; i < count; i++) {
            size_t seen = ways[i](data, groups, &bounds);
            search_bounds upper = bounds;

            CHECK(seen <= first);
            if (seen < first) { /* SSE2: the upper half of a word is inside that of the bounds */
                bool near = false;

                CHECK_EQUAL(bounds.width, 8);
                upper.low >>= 32;
                upper.span = ((bounds.low + bounds.span) >> 32) - upper.low;
                upper.mask >>= 32;
                for (uint32_t at = 0; at < SEARCH_GROUP; at += bounds.step) {
                    near = near || inside(load(data + seen * SEARCH_GROUP + at, 8) >> 32, &upper);
                }
                CHECK(near);
            }
        }
    }
}

static bool in_values(const uint64_t *values, size_t count, uint64_t word, uint64_t mask)
{
    bool found = false;

    for (size_t i = 0; i < count && !found; i++) {
        found = (values[i] & mask) == (word & mask);
    }
    return found;
}

/* Finds every word of a range or a set, and no other, in memory of any size. */
static void test_words(void)
{
    static uint64_t values[300];
    unsigned char memory[MOST];

    for (int round = check_rounds(8000); round > 0; round--) {
        search_bounds bounds = some_bounds();
        uint64_t top = bounds.width == 8 ? UINT64_MAX : UINT32_MAX;
        size_t count = chance() % 4 == 0 ? 0 : 1 + chance() % (chance() % 2 == 0 ? 3 : 300);
        size_t size = chance() % MOST, wanted = 0, got = 0, at;
        pointer_view view = {(const unsigned char *)values, 8, count};
        search_words words = search_words_range(bounds.low, bounds.low + bounds.span, bounds.mask,
                                                bounds.width, bounds.step);

        fill(memory, sizeof memory, &bounds);
        for (size_t i = 0; i < count; i++) {
            size_t place = chance() % (MOST - 8);

            values[i] = chance() % 4 == 0 ? chance() & top : load(memory + place, bounds.width);
            values[i] = chance() % 50 == 0 ? 0 : values[i];
        }
        if (count > 0) {
            CHECK(search_words_set(&words, &view, bounds.mask, bounds.width, bounds.step));
        }
        at = search_words_next(&words, memory, size, 0);
        for (size_t place = 0; place + bounds.width <= size; place += bounds.step) {
            uint64_t word = load(memory + place, bounds.width);
            bool is =
                count > 0 ? in_values(values, count, word, bounds.mask) : inside(word, &bounds);

            CHECK_EQUAL(search_words_wants(&words, word), is);
            wanted += is ? 1 : 0;
            if (is && CHECK_EQUAL(at, place)) {
                got++;
                at = search_words_next(&words, memory, size, at + bounds.step);
            }
        }
        CHECK_EQUAL(got, wanted);
        CHECK(at >= size);
        if (count > 0) {
            search_words_free(&words);
        }
    }
}

int main(void)
{
    test_ways();
    test_words();
    return check_report();
}
