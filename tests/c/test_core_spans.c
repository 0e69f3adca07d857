/* Tests of the conditions for writing scattered pointers by reading a page's span and writing it
 * back, on an engine whose QueryVirtual reports the kind of memory: Microsoft's. */
#include <string.h>

#include "../../csrc/core/dispatch.h"
#include "check.h"
#include "fake_engine.h"

#define COUNT  32u
#define STRIDE 64u
#define SPAN   ((COUNT - 1) * STRIDE + 8)

static fake_engine fake;
static uint64_t addresses[COUNT], values[COUNT];
static core_error error;

/* Writes the pointers from the highest address to the lowest. Returns the largest write's size. */
static ULONG largest_write(bool stopped, bool spans)
{
    pointer_view where = {(const unsigned char *)addresses, 8, COUNT};
    pointer_view what = {(const unsigned char *)values, 8, COUNT};
    ULONG largest = 0;

    fake.target.stopped = stopped;
    fake.stores = true;
    fake.readable = FAKE_MEMORY;
    memset(fake.memory, 0x5A, 4096);
    for (uint64_t i = 0; i < COUNT; i++) {
        addresses[i] = fake.base + (COUNT - 1 - i) * STRIDE;
        values[i] = i + 1;
    }
    CHECK_EQUAL(core_write(&fake.target,
                           REQUEST(CORE_SCATTERED, .addresses = where, .values = what,
                                   .truncate = false, .spans = spans),
                           &fake.pace, &error),
                CORE_OK);
    for (uint64_t i = 0; i < COUNT; i++) {
        unsigned char *at = fake.memory + (addresses[i] - fake.base);

        CHECK(memcmp(at, &values[i], 8) == 0);
        CHECK(i == 0 || at[8] == 0x5A); /* the bytes between are unchanged */
    }
    for (int i = 0; i < fake.calls && i < FAKE_CALLS; i++) {
        largest = fake.counts[i] > largest ? fake.counts[i] : largest;
    }
    return largest;
}

static void test_kinds_of_memory(void)
{
    static const struct {
        ULONG state, type, protect;
        ULONG largest;
    } kinds[] = {{MEM_COMMIT, MEM_PRIVATE, PAGE_READWRITE, SPAN},
                 {MEM_COMMIT, MEM_PRIVATE, PAGE_EXECUTE_READWRITE, SPAN},
                 {MEM_COMMIT, MEM_IMAGE, PAGE_WRITECOPY, SPAN},
                 {MEM_COMMIT, MEM_IMAGE, PAGE_EXECUTE_WRITECOPY, SPAN},
                 {MEM_COMMIT, MEM_IMAGE, PAGE_READONLY, 8},
                 {MEM_COMMIT, MEM_PRIVATE, PAGE_READONLY, 8},
                 {MEM_COMMIT, MEM_PRIVATE, PAGE_NOACCESS, 8},
                 {MEM_COMMIT, MEM_PRIVATE, PAGE_READWRITE | 0x100, 8}, /* PAGE_GUARD */
                 {MEM_COMMIT, MEM_PRIVATE, PAGE_READWRITE | 0x200, 8}, /* PAGE_NOCACHE: a device */
                 {MEM_COMMIT, MEM_MAPPED, PAGE_READWRITE, 8},
                 {MEM_COMMIT, MEM_MAPPED, PAGE_WRITECOPY, 8},
                 {MEM_FREE, 0, PAGE_NOACCESS, 8}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fake_reset(&fake);
        fake.memory_state = kinds[i].state;
        fake.memory_type = kinds[i].type;
        fake.memory_protect = kinds[i].protect;
        CHECK_EQUAL(largest_write(true, true), kinds[i].largest);
    }
}

static void test_refusals(void)
{
    fake_reset(&fake); /* QueryVirtual fails */
    fake.memory_state = 0;
    CHECK_EQUAL(largest_write(true, true), 8);

    fake_reset(&fake);
    fake.memory_state = MEM_COMMIT;
    fake.memory_type = MEM_PRIVATE;
    fake.memory_protect = PAGE_READWRITE;
    CHECK_EQUAL(largest_write(true, false), 8); /* spans=False */

    /* In a running target each pointer is written separately, in the caller's order. */
    fake_reset(&fake);
    fake.memory_state = MEM_COMMIT;
    fake.memory_type = MEM_PRIVATE;
    fake.memory_protect = PAGE_READWRITE;
    (void)largest_write(false, true);
    CHECK_EQUAL(fake.calls, COUNT);
    for (int i = 0; i < fake.calls; i++) {
        CHECK_EQUAL(fake.offsets[i], addresses[i]);
    }
}

/* A read changes nothing, so one call reads all pointers of a page, even with spans=False. */
static void test_reading(void)
{
    pointer_view where = {(const unsigned char *)addresses, 8, COUNT};
    uint64_t held[COUNT];

    fake_reset(&fake);
    fake.memory_state = MEM_COMMIT;
    fake.memory_type = MEM_PRIVATE;
    fake.memory_protect = PAGE_READWRITE;
    (void)largest_write(true, false);
    fake.reads = 0;
    CHECK_EQUAL(core_read(&fake.target,
                          REQUEST(CORE_SCATTERED, .addresses = where, .values.count = COUNT,
                                  .to = held, .spans = false),
                          &fake.pace, &error),
                CORE_OK);
    CHECK_EQUAL(fake.reads, 1);
    CHECK(memcmp(held, values, sizeof held) == 0);
}

int main(void)
{
    test_kinds_of_memory();
    test_refusals();
    test_reading();
    return check_report();
}
