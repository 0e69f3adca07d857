/* Tests of what found pointers become: pairs and shifts against a plain loop, at random. */
#include "../../csrc/core/search/moves.h"

#include "check.h"

#define MOST 200

static uint64_t seed = 88172645463325252u;

/* xorshift64 (Marsaglia, 2003). */
static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Returns the number of the first pair for a word; `count` if there is none. */
static size_t pair_of(const uint64_t *old, size_t count, uint64_t word, uint64_t mask)
{
    size_t at = 0;

    while (at < count && (old[at] & mask) != (word & mask)) {
        at++;
    }
    return at;
}

static void test_pairs(void)
{
    uint64_t old[MOST], new[MOST], values[MOST], moved[MOST];
    uint64_t masks[] = {UINT64_MAX, ~UINT64_C(7), UINT32_MAX, UINT64_C(0x0000FFFFFFFFFFFF)};

    for (int round = 0; round < 2000; round++) {
        uint64_t mask = masks[chance() % 4], few = chance() % 2 == 0 ? 64 : UINT64_MAX;
        size_t count = 0, wanted = 1 + chance() % (round % 2 == 0 ? 3 : MOST);
        search_moves moves;

        for (size_t tries = 0; tries < wanted; tries++) {
            uint64_t pointer = chance() % few, becomes = chance() % few & mask;
            size_t same = pair_of(old, count, pointer, mask);

            if ((pointer & mask) != becomes) {
                old[count] = pointer;
                new[count] = same < count ? new[same] : becomes;
                count++;
            }
        }
        if (count == 0) {
            continue;
        }
        for (size_t i = 0; i < MOST; i++) {
            values[i] = (old[chance() % count] & mask) | (chance() & ~mask);
        }
        CHECK_EQUAL(search_moves_take(&moves, old, new, count, mask), SEARCH_MOVES_GOOD);
        CHECK_EQUAL(search_moves_all(&moves, values, MOST, moved), SEARCH_MOVES_GOOD);
        for (size_t i = 0; i < MOST; i++) {
            uint64_t becomes = new[pair_of(old, count, values[i], mask)];

            CHECK_EQUAL(moved[i], becomes | (values[i] & ~mask));
        }
        values[7] = ~old[0];
        if (count > 1 && pair_of(old, count, values[7], mask) == count) {
            CHECK_EQUAL(search_moves_all(&moves, values, MOST, moved), SEARCH_MOVES_NOT_OLD);
            CHECK_EQUAL(moves.index, 7);
        }
        search_moves_free(&moves);
    }
}

static void test_shift(void)
{
    uint64_t old = 0x1000, new = 0xFFFFFFFFFFFF0000, odd = 0x10FF;
    uint64_t values[] = {0x1000, 0x1FFF, 0x1007}, moved[3];
    uint64_t mask = UINT64_C(0xFF00FF);
    search_moves moves;

    CHECK_EQUAL(search_moves_take(&moves, &old, &new, 1, UINT64_MAX), SEARCH_MOVES_GOOD);
    CHECK_EQUAL(search_moves_all(&moves, values, 3, moved), SEARCH_MOVES_GOOD);
    CHECK_EQUAL(moved[0], new);
    CHECK_EQUAL(moved[1], new + 0xFFF);
    CHECK_EQUAL(moved[2], new + 7);
    search_moves_free(&moves);
    /* A mask with holes: 0xFF + 1 would carry into one. */
    old = 0x10;
    new = 0x11;
    CHECK_EQUAL(search_moves_take(&moves, &old, &new, 1, mask), SEARCH_MOVES_GOOD);
    CHECK_EQUAL(search_moves_all(&moves, &odd, 1, moved), SEARCH_MOVES_CARRIED);
    CHECK_EQUAL(moves.index, 0);
    search_moves_free(&moves);
}

static void test_faults(void)
{
    uint64_t old[] = {1, 2, 9, 1}, two[] = {3, 4, 5, 6}, same[] = {3, 4, 9, 3};
    uint64_t outside[] = {8, 16, 24, 33};
    search_moves moves;

    CHECK_EQUAL(search_moves_take(&moves, old, two, 4, UINT64_MAX), SEARCH_MOVES_TWO_NEW);
    CHECK_EQUAL(moves.other, 0);
    CHECK_EQUAL(moves.index, 3);
    search_moves_free(&moves);
    CHECK_EQUAL(search_moves_take(&moves, old, same, 4, UINT64_MAX), SEARCH_MOVES_SAME);
    CHECK_EQUAL(moves.index, 2);
    search_moves_free(&moves);
    CHECK_EQUAL(search_moves_take(&moves, old + 2, outside, 1, ~UINT64_C(7)), SEARCH_MOVES_SAME);
    search_moves_free(&moves);
    CHECK_EQUAL(search_moves_take(&moves, old, outside + 3, 1, ~UINT64_C(7)), SEARCH_MOVES_OUTSIDE);
    search_moves_free(&moves);
}

int main(void)
{
    test_pairs();
    test_shift();
    test_faults();
    return check_report();
}
