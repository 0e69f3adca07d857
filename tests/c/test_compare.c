/* Tests of comparing over a counting fake engine: forms, blocks, differences, unreadable memory. */
#include <string.h>

#include "../../csrc/core/dispatch.h"
#include "check.h"
#include "fake_engine.h"

#define MOST 8000u

static fake_engine fake;
static core_error error;
static core_differences found;
static uint64_t values[MOST];

static void start(bool narrow)
{
    uint32_t width = narrow ? 4 : 8;

    fake_reset(&fake);
    fake.width_answer = narrow ? S_FALSE : S_OK;
    fake.readable = FAKE_MEMORY;
    for (uint64_t i = 0; i < MOST; i++) {
        values[i] = (i + 1) * (narrow ? UINT64_C(0x1003) : UINT64_C(0x9E3779B97F4A7C15));
        memcpy(fake.memory + i * width, &values[i], width);
    }
}

static core_status compare(uint64_t count)
{
    pointer_view view = {(const unsigned char *)values, 8, count};

    return core_compare(&fake.target, REQUEST(CORE_POINTERS, .address = fake.base, .values = view),
                        &fake.pace, &found, &error);
}

static void test_equal(void)
{
    for (int narrow = 0; narrow < 2; narrow++) {
        start(narrow == 1);
        CHECK_EQUAL(compare(MOST), CORE_OK);
        CHECK(found.total == 0 && found.kept == 0 && error.done == MOST && error.landed == MOST);
        CHECK_EQUAL(fake.reads, 1); /* of a block, for any count of pointers */
        CHECK_EQUAL(fake.calls, 0); /* nothing was written */
        CHECK_EQUAL(compare(0), CORE_OK);
        fake.reading = FAKE_READS_ALL_OR_NOT;
        CHECK_EQUAL(compare(1), CORE_OK);
    }
}

static void test_different(void)
{
    for (int narrow = 0; narrow < 2; narrow++) {
        uint32_t width = narrow == 1 ? 4 : 8;

        start(narrow == 1);
        fake.memory[7 * width] ^= 1;
        fake.memory[9 * width + 3] ^= 0x80;
        fake.memory[(MOST - 1) * width + width - 1] ^= 0x40;
        CHECK_EQUAL(compare(MOST), CORE_DIFFERENT);
        CHECK(found.total == 3 && found.kept == 3);
        CHECK(error.landed == 7 && error.index == 7 && error.known && error.done == MOST);
        CHECK_EQUAL(error.at, fake.base + 7 * width);
        CHECK(found.first[0].index == 7 && found.first[0].address == fake.base + 7 * width);
        CHECK_EQUAL(found.first[0].wanted, values[7]);
        CHECK_EQUAL(found.first[0].found, values[7] ^ 1);
        CHECK_EQUAL(found.first[1].found, values[9] ^ UINT64_C(0x80000000));
        CHECK_EQUAL(found.first[2].index, MOST - 1);
        CHECK_EQUAL(compare(7), CORE_OK);
    }
}

/* Every difference is counted, and the hundred with the lowest indices are kept. */
static void test_many(void)
{
    core_mismatch one = {0, 0, 0, 0};

    start(false);
    memset(fake.memory, 0, sizeof fake.memory);
    CHECK_EQUAL(compare(MOST), CORE_DIFFERENT);
    CHECK(found.total == MOST && found.kept == CORE_MISMATCHES && error.landed == 0);
    CHECK_EQUAL(found.first[CORE_MISMATCHES - 1].index, CORE_MISMATCHES - 1);
    memset(&found, 0, sizeof found);
    for (uint64_t i = 0; i < 1000; i++) {
        one.index = (i * 389) % 1000; /* each of 0 to 999 once */
        core_note_mismatch(&found, &one);
        CHECK_EQUAL(found.total, i + 1);
    }
    CHECK_EQUAL(found.kept, CORE_MISMATCHES);
    for (uint32_t i = 0; i < CORE_MISMATCHES; i++) {
        CHECK_EQUAL(found.first[i].index, i);
    }
}

/* Strided, repeated and wide values are compared as the target holds them. */
static void test_forms(void)
{
    static uint64_t pairs[2 * MOST];
    pointer_view strided = {(const unsigned char *)pairs, 16, MOST};
    uint64_t one = UINT64_C(0xFFFFFFFF00000005);
    pointer_view repeated = {(const unsigned char *)&one, 0, 1000};

    for (int narrow = 0; narrow < 2; narrow++) {
        start(narrow == 1);
        for (uint64_t i = 0; i < MOST; i++) {
            pairs[2 * i] = values[i] | (narrow == 1 ? UINT64_C(7) << 40 : 0);
        }
        CHECK_EQUAL(core_compare(&fake.target,
                                 REQUEST(CORE_POINTERS, .address = fake.base, .values = strided),
                                 &fake.pace, &found, &error),
                    CORE_OK);
        pairs[2 * 4000]++;
        CHECK_EQUAL(core_compare(&fake.target,
                                 REQUEST(CORE_POINTERS, .address = fake.base, .values = strided),
                                 &fake.pace, &found, &error),
                    CORE_DIFFERENT);
        CHECK(found.total == 1 && found.first[0].index == 4000);
        CHECK_EQUAL(found.first[0].wanted, values[4000] + 1);
    }
    start(true);
    for (uint32_t i = 0; i < 1000; i++) {
        memcpy(fake.memory + 4 * i, &one, 4);
    }
    CHECK_EQUAL(core_compare(&fake.target,
                             REQUEST(CORE_POINTERS, .address = fake.base, .values = repeated),
                             &fake.pace, &found, &error),
                CORE_OK);
    fake.memory[4 * 999] = 6;
    CHECK_EQUAL(core_compare(&fake.target,
                             REQUEST(CORE_POINTERS, .address = fake.base, .values = repeated),
                             &fake.pace, &found, &error),
                CORE_DIFFERENT);
    CHECK(found.first[0].index == 999 && found.first[0].wanted == 5 && found.first[0].found == 6);
}

static void test_bytes(void)
{
    unsigned char data[] = "compared byte by byte";

    start(false);
    memcpy(fake.memory, data, sizeof data);
    CHECK_EQUAL(
        core_compare(&fake.target,
                     REQUEST(CORE_BYTES, .address = fake.base, .values = {data, 1, sizeof data}),
                     &fake.pace, &found, &error),
        CORE_OK);
    fake.memory[9] = '_';
    CHECK_EQUAL(
        core_compare(&fake.target,
                     REQUEST(CORE_BYTES, .address = fake.base, .values = {data, 1, sizeof data}),
                     &fake.pace, &found, &error),
        CORE_DIFFERENT);
    CHECK(found.total == 1 && found.first[0].address == fake.base + 9);
    CHECK(found.first[0].wanted == 'b' && found.first[0].found == '_');
}

/* For each way in which an engine answers for a range of which only a part can be read. */
static void test_unreadable(void)
{
    static const fake_reading ways[] = {FAKE_READS_SHORT, FAKE_READS_ALL_OR_NOT};

    for (int way = 0; way < 2; way++) {
        start(false);
        fake.reading = ways[way];
        fake.readable = 803;
        fake.memory[8 * 50] ^= 1;
        CHECK_EQUAL(compare(200), CORE_UNREADABLE);
        CHECK(error.hresult == HR_READ_FAULT && strcmp(error.method, "ReadVirtual") == 0);
        CHECK(error.index == 100 && error.at == fake.base + 803);
        CHECK(error.known && error.landed == 50 && found.total == 1);
        CHECK_EQUAL(compare(100), CORE_DIFFERENT);
    }
    start(false);
    fake.reading = FAKE_READS_NO_COUNT; /* S_OK without a count is not a success */
    CHECK_EQUAL(compare(200), CORE_UNREADABLE);
    CHECK_EQUAL(error.hresult, E_FAIL);
    start(false);
    fake.reading = FAKE_READS_GONE;
    CHECK_EQUAL(compare(200), CORE_UNREADABLE);
    CHECK(error.hresult == E_UNEXPECTED && !error.known);
    start(false);
    fake.width_answer = E_UNEXPECTED;
    CHECK_EQUAL(compare(200), CORE_ENGINE);
}

static void test_stop(void)
{
    start(false);
    fake.pace.first_chunk = 100; /* ReadVirtual's is larger: 1024 pointers */
    CHECK_EQUAL(compare(1024), CORE_OK);
    CHECK_EQUAL(fake.steps, 0);
    fake.stop_at = 1;
    CHECK_EQUAL(compare(1025), CORE_STOPPED);
    CHECK_EQUAL(fake.steps, 1);
}

static bool each_counts = false;

static core_status scattered(const uint64_t *addresses, uint64_t count)
{
    pointer_view where = {(const unsigned char *)addresses, 8, count};
    pointer_view view = {(const unsigned char *)values, 8, count};

    return core_compare(
        &fake.target,
        REQUEST(CORE_SCATTERED, .addresses = where, .values = view, .each_counts = each_counts),
        &fake.pace, &found, &error);
}

static void test_scattered(void)
{
    uint64_t base, addresses[6];

    start(false);
    base = fake.base;
    memset(fake.memory, 0, sizeof fake.memory);
    addresses[0] = base + 64;
    addresses[1] = base;
    addresses[2] = base + 64; /* the same once more */
    addresses[3] = base + 4;  /* over the second half of [1] */
    addresses[4] = base + 800;
    addresses[5] = base + 803; /* over most of [4] */
    for (int i = 0; i < 6; i++) {
        memcpy(fake.memory + (addresses[i] - base), &values[i], 8);
    }
    CHECK_EQUAL(scattered(addresses, 6), CORE_OK);
    CHECK(error.landed == 6 && error.done == 6);
    CHECK_EQUAL(scattered(addresses, 0), CORE_OK);
    each_counts = true;
    CHECK_EQUAL(scattered(addresses, 6), CORE_DIFFERENT);
    CHECK(found.total == 3 && error.landed == 0 && error.index == 0); /* [0], [1] and [4] */
    CHECK(found.first[0].wanted == values[0] && found.first[0].found == values[2]);
    CHECK(found.first[1].index == 1 && found.first[2].index == 4);
    each_counts = false;
    fake.memory[64] ^= 1;
    fake.memory[800] ^= 1;
    CHECK_EQUAL(scattered(addresses, 6), CORE_DIFFERENT);
    CHECK(found.total == 2 && error.landed == 0 && error.index == 0);
    CHECK(found.first[0].address == base + 64 && found.first[0].wanted == values[2]);
    CHECK_EQUAL(found.first[0].found, values[2] ^ 1);
    CHECK(found.first[1].address == base + 800 && found.first[1].index == 4);
    fake.readable = 802;
    CHECK_EQUAL(scattered(addresses, 6), CORE_UNREADABLE);
    CHECK_EQUAL(error.index, 4);
    addresses[2] = UINT64_MAX - 6;
    CHECK_EQUAL(scattered(addresses, 6), CORE_WRAPS);
    CHECK_EQUAL(error.index, 2);
}

int main(void)
{
    test_equal();
    test_different();
    test_many();
    test_forms();
    test_bytes();
    test_unreadable();
    test_stop();
    test_scattered();
    return check_report();
}
