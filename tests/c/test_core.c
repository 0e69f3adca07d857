/* Tests of the core over a counting fake engine: splitting, pacing, result codes, read-back. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/dispatch.h"
#include "../../csrc/core/pace.h"
#include "../../csrc/core/read_back.h"
#include "check.h"
#include "fake_engine.h"

#if !defined(_WIN32)
#include <sys/mman.h>
#endif

static fake_engine fake;
static core_error error;
static uint64_t values[FAKE_MEMORY / 8]; /* also copied to its memory */

static pointer_view view_of(uint64_t count)
{
    pointer_view view = {(const unsigned char *)values, sizeof values[0], count};

    return view;
}

static core_status write_values(uint64_t count)
{
    pointer_view view = view_of(count);

    return core_write(
        &fake.target,
        REQUEST(CORE_POINTERS, .address = fake.base, .values = view, .truncate = false), &fake.pace,
        &error);
}

static void fill_values(void)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        values[i] = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    }
}

static void test_wraps(void)
{
    CHECK(!core_range_wraps(0, 0, 8) && !core_range_wraps(UINT64_MAX, 0, 8));
    CHECK(!core_range_wraps(UINT64_MAX, 1, 1) && core_range_wraps(UINT64_MAX, 2, 1));
    CHECK(!core_range_wraps(UINT64_MAX - 7, 1, 8) && core_range_wraps(UINT64_MAX - 6, 1, 8));
    CHECK(!core_range_wraps(UINT64_MAX - 15, 2, 8) && core_range_wraps(UINT64_MAX - 15, 3, 8));
    CHECK(!core_range_wraps(UINT64_MAX - 3, 1, 4) && core_range_wraps(UINT64_MAX - 2, 1, 4));
    /* The whole address space except its first byte, and all of it. */
    CHECK(!core_range_wraps(1, UINT64_MAX, 1) && core_range_wraps(2, UINT64_MAX, 1));
    CHECK(!core_range_wraps(0, UINT64_MAX, 1) && !core_range_wraps(0, 1, 1));
    CHECK(!core_range_wraps(0, UINT64_C(1) << 61, 8));
    CHECK(core_range_wraps(0, (UINT64_C(1) << 61) + 1, 8));
    CHECK(core_range_wraps(1, UINT64_C(1) << 61, 8) && core_range_wraps(0, UINT64_MAX, 8));
    for (uint32_t back = 0; back < 40; back++) {
        for (uint64_t count = 0; count < 12; count++) {
            CHECK_EQUAL(core_range_wraps(UINT64_MAX - back, count, 4), count * 4 > back + 1u);
            CHECK_EQUAL(core_range_wraps(UINT64_MAX - back, count, 8), count * 8 > back + 1u);
            CHECK_EQUAL(core_range_wraps(UINT64_MAX - back, count, 1), count > back + 1u);
        }
    }
}

/* More elements than a ULONG can count are split; the memory is reserved, never accessed. */
static void test_split(void)
{
#if !defined(_WIN32)
    uint64_t count = UINT64_C(0xFFFFFFFF) * 2 + 6;
    size_t size = sizeof(void *) < 8 ? 0 : (size_t)count * 8;
    void *room =
        size == 0 ? MAP_FAILED
                  : mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pointer_view view = {room, 8, count};

    if (room == MAP_FAILED) {
        printf("no address space for an array of over 2^32 pointers\n");
        return;
    }
    for (int i = 0; i < 4; i++) {
        fake_reset(&fake);
        fake.base = 0x1000;
        if (i == 0) {
            CHECK_EQUAL(core_write(&fake.target,
                                   REQUEST(CORE_POINTERS, .address = 0x1000, .values = view,
                                           .truncate = false),
                                   &fake.pace, &error),
                        CORE_OK);
        } else if (i == 1) {
            CHECK_EQUAL(core_read(&fake.target,
                                  REQUEST(CORE_POINTERS, .address = 0x1000, .values.count = count,
                                          .to = room),
                                  &fake.pace, &error),
                        CORE_OK);
        } else if (i == 2) {
            CHECK_EQUAL(core_write(&fake.target,
                                   REQUEST(CORE_BYTES, .address = 0x1000,
                                           .values = {(const unsigned char *)room, 1, count}),
                                   &fake.pace, &error),
                        CORE_OK);
        } else {
            CHECK_EQUAL(
                core_read(&fake.target,
                          REQUEST(CORE_BYTES, .address = 0x1000, .values.count = count, .to = room),
                          &fake.pace, &error),
                CORE_OK);
        }
        CHECK_EQUAL(fake.calls, 3);
        CHECK(fake.counts[0] == UINT32_MAX && fake.counts[1] == UINT32_MAX && fake.counts[2] == 6);
        CHECK_EQUAL(fake.offsets[1] - fake.offsets[0], UINT64_C(0xFFFFFFFF) * (i < 2 ? 8 : 1));
        CHECK_EQUAL(fake.offsets[2] - fake.offsets[1], UINT64_C(0xFFFFFFFF) * (i < 2 ? 8 : 1));
        CHECK((const char *)fake.pointers[1] ==
              (const char *)room + UINT64_C(0xFFFFFFFF) * (i < 2 ? 8 : 1));
        CHECK_EQUAL(error.done, count);
    }
    munmap(room, size);
#endif
}

static void test_one_call(void)
{
    fake_reset(&fake);
    fake.pace.first_chunk = 20000;
    CHECK_EQUAL(write_values(20000), CORE_OK);
    CHECK_EQUAL(fake.calls, 1);
    CHECK_EQUAL(fake.counts[0], 20000);
    CHECK(fake.pointers[0] == (const void *)values); /* the caller's memory itself */
    CHECK_EQUAL(fake.steps, 0);
    fake_reset(&fake);
    CHECK_EQUAL(write_values(0), CORE_OK);
    CHECK(fake.calls == 1 && fake.counts[0] == 0);
}

static void test_pace(void)
{
    core_pace pace = {.chunk_ns = 50000000};
    uint64_t total = 0;

    CHECK_EQUAL(core_pace_next(&pace, 1000, 0), 16000);
    CHECK_EQUAL(core_pace_next(&pace, 1000, 50000000), 1000);
    CHECK_EQUAL(core_pace_next(&pace, 1000, 100000000), 500);
    CHECK_EQUAL(core_pace_next(&pace, 1, UINT64_MAX), 1);
    CHECK_EQUAL(core_pace_next(&pace, 1, 60000000000), 1);
    CHECK(core_pace_next(&pace, UINT64_C(1) << 62, 0) >= UINT64_C(1) << 62);
    CHECK(core_pace_next(&pace, UINT64_MAX, 0) == UINT64_MAX);

    /* 100 microseconds a pointer, as a process server costs: 64, then 500 at a time. */
    fake_reset(&fake);
    fake.pace.first_chunk = 64;
    fake.ns_per_element = 100000;
    CHECK_EQUAL(write_values(3000), CORE_OK);
    CHECK(fake.calls >= 7 && fake.calls < 20);
    CHECK_EQUAL(fake.counts[0], 64);
    for (int i = 0; i < fake.calls && i < FAKE_CALLS; i++) {
        CHECK_EQUAL(fake.offsets[i], fake.base + total * 8);
        CHECK(fake.counts[i] <= 1000);
        total += fake.counts[i];
        CHECK_EQUAL(fake.step_done[i], total);
    }
    CHECK_EQUAL(total, 3000);
    CHECK_EQUAL(fake.steps, fake.calls);

    fake_reset(&fake);
    fake.pace.first_chunk = 64;
    fake.pace.most = 100;
    CHECK_EQUAL(write_values(1000), CORE_OK);
    CHECK(fake.counts[0] == 64 && fake.counts[1] == 100 && fake.counts[9] == 100);
    fake_reset(&fake);
    fake.pace.most = 7;
    CHECK_EQUAL(write_values(15), CORE_OK);
    CHECK(fake.calls == 3 && fake.counts[0] == 7 && fake.counts[2] == 1);
}

static void test_stop(void)
{
    fake_reset(&fake);
    fake.pace.first_chunk = 10;
    fake.pace.most = 10;
    fake.stop_at = 3;
    CHECK_EQUAL(write_values(100), CORE_STOPPED);
    CHECK(fake.calls == 3 && error.done == 30);
    fake_reset(&fake);
    fake.pace.most = 10;
    fake.stop_at = 2;
    CHECK_EQUAL(
        core_read(&fake.target,
                  REQUEST(CORE_POINTERS, .address = fake.base, .values.count = 100, .to = values),
                  &fake.pace, &error),
        CORE_STOPPED);
    CHECK(fake.calls == 2 && error.done == 20);
    fake_reset(&fake);
    fake.pace.most = 10;
    fake.stop_at = 2;
    CHECK_EQUAL(core_write(&fake.target,
                           REQUEST(CORE_BYTES, .address = fake.base,
                                   .values = {(const unsigned char *)values, 1, 100}),
                           &fake.pace, &error),
                CORE_STOPPED);
    CHECK(fake.calls == 2 && error.done == 20);
}

/* Only S_OK is a success. */
static void test_success_codes(void)
{
    static const HRESULT others[] = {S_FALSE, 0x10000000, 2, HR_WRITE_FAULT, E_UNEXPECTED};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        fake_reset(&fake);
        fake.pace.most = 10;
        fake.answers[1] = others[i];
        fake.readable = FAKE_MEMORY;
        CHECK_EQUAL(write_values(30), CORE_ENGINE);
        CHECK_EQUAL(error.hresult, others[i]);
        CHECK(strcmp(error.method, "WritePointersVirtual") == 0);
        CHECK(error.done == 10 && fake.calls == 2 && error.known && error.landed == 0);

        fake_reset(&fake);
        fake.answers[0] = others[i];
        fake.reading = FAKE_READS_ALL_OR_NOT; /* no byte can be read */
        CHECK_EQUAL(
            core_read(&fake.target,
                      REQUEST(CORE_POINTERS, .address = fake.base, .values.count = 3, .to = values),
                      &fake.pace, &error),
            CORE_ENGINE);
        CHECK_EQUAL(error.hresult, others[i]);
        CHECK(strcmp(error.method, "ReadPointersVirtual") == 0 && error.done == 0);

        fake_reset(&fake);
        fake.answers[0] = others[i];
        fake.readable = FAKE_MEMORY;
        CHECK_EQUAL(core_write(&fake.target,
                               REQUEST(CORE_BYTES, .address = fake.base,
                                       .values = {(const unsigned char *)values, 1, 9}),
                               &fake.pace, &error),
                    CORE_ENGINE);
        CHECK(error.hresult == others[i] && error.done == 0);

        fake_reset(&fake);
        fake.width_answer = others[i];
        if (others[i] != S_FALSE) {
            CHECK_EQUAL(write_values(3), CORE_ENGINE);
            CHECK(error.hresult == others[i] && !error.known && fake.calls == 0);
            CHECK(strcmp(error.method, "IsPointer64Bit") == 0);
        }
    }
    fill_values();
}

/* After a failure, the count of landed pointers is exact for each way of reading. */
static void test_read_back(void)
{
    static const fake_reading readings[] = {FAKE_READS_SHORT, FAKE_READS_ALL_OR_NOT};
    static const uint64_t landed[] = {0, 1, 5, 2047, 2048, 2049, 4096, 5000};

    for (size_t r = 0; r < 2; r++) {
        for (size_t i = 0; i < sizeof landed / sizeof landed[0]; i++) {
            for (uint64_t torn = 0; torn < 8; torn += 7) {
                fake_reset(&fake);
                fake.reading = readings[r];
                fake.answers[0] = HR_WRITE_FAULT;
                memcpy(fake.memory, values, sizeof fake.memory);
                fake.readable = landed[i] * 8 + torn; /* the rest can't be read */
                if (fake.readable == 0) {
                    continue;
                }
                CHECK_EQUAL(write_values(8000), CORE_ENGINE);
                CHECK(error.known);
                CHECK_EQUAL(error.landed, landed[i]);
                CHECK(fake.reads < 64);
                fake.readable = FAKE_MEMORY; /* the rest differs */
                fake.memory[landed[i] * 8 + torn] ^= 1;
                fake.calls = 0;
                CHECK_EQUAL(write_values(8000), CORE_ENGINE);
                CHECK_EQUAL(error.landed, landed[i]);
            }
        }
    }
    fake_reset(&fake);
    fake.reading = FAKE_READS_GONE;
    fake.answers[0] = HR_WRITE_FAULT;
    CHECK_EQUAL(write_values(10), CORE_ENGINE);
    CHECK(!error.known && error.hresult == HR_WRITE_FAULT);
    fake_reset(&fake);
    fake.reading = FAKE_READS_NO_COUNT; /* bytes that are not reported as read do not count */
    fake.readable = FAKE_MEMORY;
    fake.answers[0] = HR_WRITE_FAULT;
    memcpy(fake.memory, values, sizeof fake.memory);
    CHECK_EQUAL(write_values(10), CORE_ENGINE);
    CHECK(error.known && error.landed == 0);
}

static void test_counting(void)
{
    static const unsigned char pattern[] = {1, 2, 3};
    uint64_t landed = 99;

    fake_reset(&fake);
    for (size_t i = 0; i < 40000; i++) {
        fake.memory[i] = pattern[i % 3];
    }
    fake.readable = 50000;
    CHECK(core_count_filled(&fake.target, fake.base, pattern, 3, 45000, &landed));
    CHECK_EQUAL(landed, 40000);
    CHECK(core_count_filled(&fake.target, fake.base, pattern, 3, 7, &landed) && landed == 7);
    CHECK(core_count_bytes(&fake.target, fake.base, fake.memory, 60000, &landed));
    CHECK_EQUAL(landed, 50000);
    CHECK(core_count_readable(&fake.target, fake.base, 60000, &landed) && landed == 50000);
    CHECK(core_count_readable(&fake.target, fake.base - 1, 10, &landed) && landed == 0);
    CHECK(core_count_bytes(&fake.target, fake.base, pattern, 0, &landed) && landed == 0);
    fake.reading = FAKE_READS_GONE;
    CHECK(!core_count_readable(&fake.target, fake.base, 10, &landed));
}

static core_status write_bytes(uint64_t size)
{
    return core_write(&fake.target,
                      REQUEST(CORE_BYTES, .address = fake.base,
                              .values = {(const unsigned char *)values, 1, size}),
                      &fake.pace, &error);
}

static void test_short_writes(void)
{
    fake_reset(&fake);
    fake.stores = true;
    fake.counted[0] = 100;
    fake.counted[1] = 1;
    CHECK_EQUAL(write_bytes(1000), CORE_OK);
    CHECK(fake.calls == 3 && fake.counts[1] == 900 && fake.counts[2] == 899);
    CHECK(fake.offsets[1] == fake.base + 100 && fake.offsets[2] == fake.base + 101);
    CHECK(memcmp(fake.memory, values, 1000) == 0 && error.done == 1000);

    fake_reset(&fake); /* a failure with a count: read-back finds the bytes that landed */
    fake.stores = true;
    fake.readable = FAKE_MEMORY;
    fake.answers[0] = HR_WRITE_FAULT;
    fake.counted[0] = 40;
    CHECK_EQUAL(write_bytes(1000), CORE_ENGINE);
    CHECK(error.done == 0 && error.known && error.landed == 40);

    fake_reset(&fake); /* a failure without a count */
    fake.readable = FAKE_MEMORY;
    fake.answers[0] = HR_WRITE_FAULT;
    fake.no_count = true;
    CHECK_EQUAL(write_bytes(1000), CORE_ENGINE);
    CHECK(error.hresult == HR_WRITE_FAULT && error.landed == 0);

    fake_reset(&fake); /* S_OK with a count of 0 would repeat without end */
    fake.no_count = true;
    fake.readable = FAKE_MEMORY;
    CHECK_EQUAL(write_bytes(1000), CORE_ENGINE);
    CHECK(error.hresult == E_FAIL && fake.calls == 1);

    fake_reset(&fake); /* S_OK with a count above the request */
    fake.counted[0] = 1001;
    fake.readable = FAKE_MEMORY;
    CHECK_EQUAL(write_bytes(1000), CORE_ENGINE);
    CHECK(error.hresult == E_FAIL && fake.calls == 1);

    fake_reset(&fake);
    CHECK_EQUAL(write_bytes(0), CORE_OK);
    CHECK_EQUAL(fake.calls, 0);
    fake.width_answer = E_UNEXPECTED;
    CHECK_EQUAL(write_bytes(0), CORE_ENGINE);
}

int main(void)
{
    fill_values();
    test_wraps();
    test_split();
    test_one_call();
    test_pace();
    test_stop();
    test_success_codes();
    test_read_back();
    test_counting();
    test_short_writes();
    return check_report();
}
