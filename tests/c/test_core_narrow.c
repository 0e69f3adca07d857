/* Tests of 32-bit targets in the core and of input that must be copied before it is passed. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/dispatch.h"
#include "../../csrc/core/query.h"
#include "check.h"
#include "fake_engine.h"

#define COUNT 70000u /* more pointers than one copy holds */

static fake_engine fake;
static core_error error;
static uint64_t values[COUNT + 1];

static bool is_wide(uint64_t value)
{
    return value != (uint32_t)value && value != (uint64_t)(int64_t)(int32_t)(uint32_t)value;
}

static void test_wide(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     0x7FFFFFFF,
                                     0x80000000,
                                     0xFFFFFFFF,
                                     UINT64_C(0x100000000),
                                     UINT64_C(0x7FFFFFFFFFFFFFFF),
                                     UINT64_C(0x8000000000000000),
                                     UINT64_C(0x8000000080000000),
                                     UINT64_C(0xFFFFFFFF7FFFFFFF),
                                     UINT64_C(0xFFFFFFFF80000000),
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    const size_t count = sizeof edges / sizeof edges[0];

    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(pointer_is_wide(edges[i]), is_wide(edges[i]));
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t place = 0; place < 3000; place += 157) {
            pointer_view view = {(const unsigned char *)values, 8, 3000};
            pointer_view back = {(const unsigned char *)&values[2999], -8, 3000};
            pointer_view odd = {(const unsigned char *)values + 3, 8, 3000};

            memset(values, 0, sizeof values);
            values[place] = edges[i];
            CHECK_EQUAL(pointer_view_find_wide(&view, 0, 3000), is_wide(edges[i]) ? place : 3000);
            CHECK_EQUAL(pointer_view_find_wide(&back, 0, 3000),
                        is_wide(edges[i]) ? 2999 - place : 3000);
            CHECK_EQUAL(pointer_view_find_wide(&view, place, 3000 - place),
                        is_wide(edges[i]) ? 0 : 3000 - place);
            memmove((unsigned char *)values + 3, values, 3000 * 8);
            CHECK_EQUAL(pointer_view_find_wide(&odd, 0, 3000), is_wide(edges[i]) ? place : 3000);
        }
    }
}

/* A copy ends before the first wide value; earlier values are copied unchanged or narrowed. */
static void check_pack(const pointer_view *view, uint32_t width)
{
    static uint64_t room[3000];
    uint64_t wide = 0, wanted, first = pointer_view_find_wide(view, 1, view->count - 1);
    pointer_view part = pointer_view_part(view, 1, view->count - 1);
    uint64_t done = pointer_view_pack(&part, width, true, room, &wide);

    CHECK_EQUAL(done, first);
    if (done < view->count - 1) {
        memcpy(&wanted, pointer_view_at(view, 1 + done), 8);
        CHECK_EQUAL(wide, wanted);
    }
    for (uint64_t i = 0; i < done; i++) {
        memcpy(&wanted, pointer_view_at(view, 1 + i), 8);
        if (!CHECK(memcmp((unsigned char *)room + i * width, &wanted, width) == 0)) {
            break;
        }
    }
    CHECK_EQUAL(pointer_view_pack(view, width, false, room, &wide), view->count);
    for (uint64_t i = 0; i < view->count; i++) {
        memcpy(&wanted, pointer_view_at(view, i), 8);
        if (!CHECK(memcmp((unsigned char *)room + i * width, &wanted, width) == 0)) {
            break;
        }
    }
}

static void test_packed(void)
{
    static const uint64_t marks[] = {7, UINT64_MAX, UINT64_C(0xFFFFFFFF80000000),
                                     UINT64_C(0xFFFFFFFF7FFFFFFF), UINT64_C(0x100000000)};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        for (size_t place = 0; place < 2999; place += 149) {
            pointer_view views[] = {{(const unsigned char *)values, 8, 2999},
                                    {(const unsigned char *)values + 3, 8, 2999},
                                    {(const unsigned char *)&values[2998], -8, 2999},
                                    {(const unsigned char *)values, 16, 1490}};

            for (uint64_t j = 0; j < 3001; j++) {
                values[j] = j * 77 % 5000;
            }
            values[place] = marks[i];
            check_pack(&views[0], 4);
            check_pack(&views[0], 8);
            check_pack(&views[2], 4);
            check_pack(&views[2], 8);
            check_pack(&views[3], 4);
            check_pack(&views[3], 8);
            memmove((unsigned char *)values + 3, values, 3000 * 8);
            check_pack(&views[1], 4);
            check_pack(&views[1], 8);
        }
    }
}

static void number_values(void)
{
    for (uint64_t i = 0; i <= COUNT; i++) {
        values[i] = i * 3 + 1;
    }
}

/* Strided, reversed, misaligned and repeated input arrives in the caller's order. */
static void test_copied(void)
{
    unsigned char *odd = malloc(8 * COUNT + 8);
    pointer_view views[] = {{(const unsigned char *)values, 16, COUNT / 2},
                            {(const unsigned char *)&values[COUNT - 1], -8, COUNT},
                            {odd + 1, 8, COUNT - 1},
                            {(const unsigned char *)&values[5], 0, COUNT / 2},
                            {odd + 3, 24, COUNT / 3}};

    number_values();
    if (!CHECK(odd != NULL)) {
        return;
    }
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        uint64_t wanted, got;

        memcpy(odd + (i == 2 ? 1 : 3), values, 8 * COUNT);
        if (i < 2) {
            number_values();
        }
        views[i].count = views[i].count < 8000 ? views[i].count : 8000;
        for (int width = 4; width <= 8; width += 4) {
            fake_reset(&fake);
            fake.width_answer = width == 4 ? S_FALSE : S_OK;
            fake.stores = true;
            CHECK_EQUAL(core_write(&fake.target,
                                   REQUEST(CORE_POINTERS, .address = fake.base, .values = views[i],
                                           .truncate = false),
                                   &fake.pace, &error),
                        CORE_OK);
            CHECK_EQUAL(error.done, views[i].count);
            CHECK(!pointer_view_is_direct(&views[i]));
            for (uint64_t j = 0; j < views[i].count; j++) {
                memcpy(&wanted, pointer_view_at(&views[i], j), 8);
                got = 0;
                memcpy(&got, fake.memory + j * (uint64_t)width, (size_t)width);
                if (got != wanted) {
                    CHECK_EQUAL(got, wanted);
                    break;
                }
            }
        }
    }
    free(odd);
}

static void test_range_errors(void)
{
    pointer_view view = {(const unsigned char *)values, 8, COUNT};

    number_values();
    values[7000] = UINT64_C(1) << 40;
    fake_reset(&fake);
    fake.width_answer = S_FALSE;
    CHECK_EQUAL(
        core_write(&fake.target,
                   REQUEST(CORE_POINTERS, .address = fake.base, .values = view, .truncate = false),
                   &fake.pace, &error),
        CORE_POINTER_RANGE);
    CHECK(fake.calls == 0 && error.index == 7000 && error.value == UINT64_C(1) << 40);
    CHECK(error.known && error.landed == 0 && error.done == 0);

    fake_reset(&fake);
    fake.width_answer = S_FALSE;
    fake.stores = true;
    CHECK_EQUAL(
        core_write(&fake.target,
                   REQUEST(CORE_POINTERS, .address = fake.base, .values = view, .truncate = true),
                   &fake.pace, &error),
        CORE_OK);
    CHECK_EQUAL(error.done, COUNT);
    CHECK(memcmp(fake.memory + 4 * 7000, "\0\0\0\0", 4) == 0);

    /* The caller's memory changes after the first pass: the pointers before the change land. */
    number_values();
    fake_reset(&fake);
    fake.width_answer = S_FALSE;
    fake.stores = true;
    fake.readable = FAKE_MEMORY;
    fake.spoil = &values[69000];
    fake.spoil_value = UINT64_MAX / 2;
    CHECK_EQUAL(
        core_write(&fake.target,
                   REQUEST(CORE_POINTERS, .address = fake.base, .values = view, .truncate = false),
                   &fake.pace, &error),
        CORE_POINTER_RANGE);
    CHECK(error.index == 69000 && error.value == UINT64_MAX / 2 && error.known);
    CHECK_EQUAL(error.landed, error.done);
    CHECK(error.done > 0 && error.done <= 69000);

    number_values();
    fake_reset(&fake);
    fake.width_answer = S_FALSE;
    CHECK_EQUAL(core_write(&fake.target,
                           REQUEST(CORE_POINTERS, .address = UINT64_MAX - 2, .values = view,
                                   .truncate = false),
                           &fake.pace, &error),
                CORE_WRAPS);
    CHECK_EQUAL(fake.calls, 0);
}

/* An engine that ignores the upper halves of addresses in a 32-bit target is not called with any.
 */
static void test_folded_addresses(void)
{
    static const struct {
        uint64_t address, count;
        bool taken;
    } cases[] = {
        {UINT32_MAX - 7, 2, true},
        {UINT32_MAX - 7, 3, false},
        {UINT64_C(1) << 32, 1, false},
        {UINT64_MAX - INT32_MAX, 1, true}, /* sign-extended */
        {UINT64_MAX - INT32_MAX - 4, 1, false},
        {UINT64_MAX - 3, 1, true},
        {UINT64_MAX - 2, 1, false},
        {UINT64_C(1) << 63, 0, true},
    };

    number_values();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pointer_view view = {(const unsigned char *)values, 8, cases[i].count};
        pointer_view each = {(const unsigned char *)&cases[i].address, 0, cases[i].count};
        core_request *direct =
            REQUEST(CORE_POINTERS, .address = cases[i].address, .values = view, .truncate = false);
        core_request *scattered = REQUEST(CORE_SCATTERED, .addresses = each, .values = view);
        bool one = cases[i].count <= 1;

        fake_reset(&fake);
        fake.target.folds = true;
        fake.width_answer = S_FALSE;
        CHECK_EQUAL(core_begin(&fake.target, direct, &fake.pace, &error), cases[i].taken);
        if (one) {
            CHECK_EQUAL(core_begin(&fake.target, scattered, &fake.pace, &error), cases[i].taken);
        }
        fake.width_answer = S_OK;
        CHECK_EQUAL(core_begin(&fake.target, direct, &fake.pace, &error),
                    !core_range_wraps(cases[i].address, cases[i].count, 8));
        fake.target.folds = false;
        fake.width_answer = S_FALSE;
        CHECK_EQUAL(core_begin(&fake.target, direct, &fake.pace, &error),
                    !core_range_wraps(cases[i].address, cases[i].count, 4));
    }
}

/* The x86 engine answers with sign-extended addresses. They come back as they were asked about, but
 * not where they can be meant: in a 64-bit target, or of an engine that folds none. */
static void test_sign_extended_answers(void)
{
    static const struct {
        uint64_t asked;
        HRESULT width_answer;
        bool folds;
        uint64_t base;
    } cases[] = {
        {0xC0001000, S_FALSE, true, 0xC0001000},
        {0x80000000, S_FALSE, true, 0x80000000},
        {0x7FFFF000, S_FALSE, true, 0x7FFFF000},
        {UINT64_C(0xFFFFFFFFC0001000), S_FALSE, true, UINT64_C(0xFFFFFFFFC0001000)},
        {0xC0001000, S_OK, true, UINT64_C(0xFFFFFFFFC0001000)},
        {0xC0001000, E_UNEXPECTED, true, UINT64_C(0xFFFFFFFFC0001000)},
        {0xC0001000, S_FALSE, false, UINT64_C(0xFFFFFFFFC0001000)},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        MEMORY_BASIC_INFORMATION64 info;

        fake_reset(&fake);
        fake.target.folds = cases[i].folds;
        fake.width_answer = cases[i].width_answer;
        fake.memory_state = MEM_COMMIT;
        fake.sign_extends = true;
        CHECK_EQUAL(core_query(&fake.target, cases[i].asked, &info), S_OK);
        CHECK_EQUAL(info.BaseAddress, cases[i].base);
        CHECK_EQUAL(info.AllocationBase, cases[i].base);
    }
}

/* A failure in a later run of copied input is counted from the start. */
static void test_failing_copies(void)
{
    pointer_view view = {(const unsigned char *)values, 8, COUNT};

    number_values();
    fake_reset(&fake);
    fake.width_answer = S_FALSE;
    fake.stores = true;
    fake.readable = FAKE_MEMORY;
    fake.answers[1] = HR_INVALID_ADDRESS;
    CHECK_EQUAL(
        core_write(&fake.target,
                   REQUEST(CORE_POINTERS, .address = fake.base, .values = view, .truncate = false),
                   &fake.pace, &error),
        CORE_ENGINE);
    CHECK(fake.calls == 2 && error.done == fake.counts[0] && error.landed == fake.counts[0]);
    CHECK_EQUAL(fake.offsets[1], fake.base + 4 * (uint64_t)fake.counts[0]);
    CHECK(error.width == 4 && error.count == COUNT);
}

static void test_reading(void)
{
    uint64_t got[4] = {9, 9, 9, 9};
    const uint32_t high[3] = {0x80000000, 0xFFFFFFFF, 5};

    for (int extended = 0; extended < 2; extended++) {
        fake_reset(&fake);
        fake.width_answer = S_FALSE;
        fake.stores = true;
        fake.sign_extends = extended != 0;
        memcpy(fake.memory, high, sizeof high);
        CHECK_EQUAL(
            core_read(&fake.target,
                      REQUEST(CORE_POINTERS, .address = fake.base, .values.count = 3, .to = got),
                      &fake.pace, &error),
            CORE_OK);
        CHECK(got[0] == high[0] && got[1] == high[1] && got[2] == 5 && got[3] == 9);
    }
    fake_reset(&fake);
    fake.width_answer = S_FALSE;
    fake.readable = 11; /* two pointers and three bytes */
    fake.answers[0] = HR_READ_FAULT;
    CHECK_EQUAL(
        core_read(&fake.target,
                  REQUEST(CORE_POINTERS, .address = fake.base, .values.count = 4, .to = got),
                  &fake.pace, &error),
        CORE_ENGINE);
    CHECK(error.known && error.landed == 2);
}

/* ReadVirtual may end inside a pointer, fail without a count and change the rest of its buffer.
 * The caller's array gets whole pointers up to the failure and stays unchanged after it. */
static void test_bulk_reading(void)
{
    static const fake_reading kinds[] = {FAKE_READS_SHORT, FAKE_READS_ALL_OR_NOT};
    enum { ASKED = FAKE_MEMORY / 4 + 1000 }; /* more than can be read, for either width */
    static uint64_t into[ASKED];

    for (int wide = 0; wide < 2; wide++) {
        uint32_t width = wide != 0 ? 8 : 4;
        uint64_t fits = (FAKE_MEMORY - 3) / width; /* a part of the next pointer can be read */

        for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
            bool right = true;

            fake_reset(&fake);
            fake.width_answer = wide != 0 ? S_OK : S_FALSE;
            fake.readable = FAKE_MEMORY - 3;
            fake.reading = kinds[kind];
            fake.scribbles = true;
            for (size_t i = 0; i < FAKE_MEMORY; i++) {
                fake.memory[i] = (unsigned char)(i % 251);
            }
            memset(into, 0xA5, sizeof into);
            CHECK_EQUAL(
                core_read(&fake.target,
                          REQUEST(CORE_POINTERS, .address = fake.base, .values.count = ASKED,
                                  .to = into, .bulk = true, .fresh = false),
                          &fake.pace, &error),
                CORE_ENGINE);
            CHECK(error.known && error.landed == fits);
            CHECK(strcmp(error.method, "ReadVirtual") == 0);
            for (uint64_t i = 0; i < ASKED; i++) {
                uint64_t wanted = 0;

                if (i < fits) {
                    memcpy(&wanted, fake.memory + i * width, width);
                } else {
                    wanted = 0xA5A5A5A5A5A5A5A5u;
                }
                right = right && into[i] == wanted;
            }
            CHECK(right);
            CHECK_EQUAL(core_read(&fake.target,
                                  REQUEST(CORE_POINTERS, .address = fake.base, .values.count = fits,
                                          .to = into, .bulk = true, .fresh = true),
                                  &fake.pace, &error),
                        CORE_OK);
            CHECK(memcmp(into, fake.memory, width) == 0);
        }
    }
}

int main(void)
{
    test_wide();
    test_packed();
    test_copied();
    test_range_errors();
    test_folded_addresses();
    test_sign_extended_answers();
    test_failing_copies();
    test_reading();
    test_bulk_reading();
    return check_report();
}
