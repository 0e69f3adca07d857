/* Tests of large work on a stopped process's memory, which several threads share. */
#define _GNU_SOURCE 1
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../csrc/engines/embedded/linux/helper.h"
#include "../../csrc/engines/embedded/linux/memory.h"
#include "../../csrc/engines/embedded/linux/parallel.h"
#include "../../csrc/engines/embedded/linux/processors.h"
#include "check.h"
#include "linux_children.h"

#define SIZE ((size_t)6 << 20)

static unsigned char *area; /* at the same address in the children, which are forked */
static size_t page;

static void serve(child *self, void *context)
{
    (void)context;
    child_serve(self);
}

static embedded_target *hold(const child *served, bool suspend, bool writable)
{
    linux_attach_options options = {.process_id = served->id,
                                    .suspend = suspend,
                                    .writable = writable,
                                    .waiting = {.timeout_ns = UINT64_MAX}};
    linux_open_error error;

    return linux_attach(&options, &error);
}

/* Returns different 64-bit values, each of which fits a 32-bit target. */
static unsigned char *make_values(void)
{
    unsigned char *made = malloc(2 * SIZE);

    for (size_t i = 0; made != NULL && i < 2 * SIZE / 8; i++) {
        uint64_t value = i % 1000 == 7 ? ~(uint64_t)i : (uint64_t)i * 2654435761u % UINT32_MAX;

        memcpy(made + i * 8, &value, sizeof value);
    }
    return made;
}

static size_t equal(embedded_target *held, size_t from, const unsigned char *data, size_t size)
{
    return linux_memory_count_equal(held, (uint64_t)(uintptr_t)(area + from), data, size);
}

static size_t narrow(embedded_target *held, size_t from, const unsigned char *data, size_t count)
{
    return linux_memory_write_narrow(held, (uint64_t)(uintptr_t)(area + from), data, count, true);
}

/* All equal bytes are counted; if one byte differs, only bytes before it are counted. */
static void test_comparing(embedded_target *held, unsigned char *values)
{
    static const size_t places[] = {0, 4095, SIZE / 2, SIZE - 4096 - 1};
    uint64_t start = (uint64_t)(uintptr_t)area;

    for (size_t shift = 0; shift <= 24; shift += 8) {
        CHECK_EQUAL(linux_parallel_run((linux_target *)held, LINUX_PARALLEL_WRITE, start + shift,
                                       values, SIZE - 4096),
                    linux_processors_usable() > 1 ? SIZE - 4096 : 0);
        if (linux_processors_usable() == 1) {
            size_t moved = 0;

            CHECK_EQUAL(linux_memory_write(held, start + shift, values, SIZE - 4096, &moved), S_OK);
        }
        CHECK_EQUAL(equal(held, shift, values, SIZE - 4096), SIZE - 4096);
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            values[places[i]] ^= 0x80;
            CHECK(equal(held, shift, values, SIZE - 4096) <= places[i]);
            values[places[i]] ^= 0x80;
        }
    }
}

/* If one pointer does not fit, only pointers before it are counted, and these are written. */
static void test_narrowing(embedded_target *held, unsigned char *values)
{
    size_t count = SIZE / 4;
    uint64_t wide = UINT64_C(1) << 32, fits;
    size_t moved = 0, at = count / 2 + 3, done;
    uint32_t *read = calloc(count, sizeof *read);

    CHECK_EQUAL(narrow(held, 0, values, count), count);
    CHECK_EQUAL(linux_memory_read(held, (uint64_t)(uintptr_t)area, read, SIZE, &moved), S_OK);
    for (size_t i = 0; i < count; i++) {
        if (!CHECK(memcmp(&read[i], values + i * 8, 4) == 0)) {
            break;
        }
    }
    CHECK_EQUAL(narrow(held, 2, values, count - 1), 0); /* could end inside a pointer */
    CHECK_EQUAL(narrow(held, 0, values, 1000), 0);      /* too few pointers */

    memset(read, 0, SIZE);
    CHECK_EQUAL(linux_memory_write(held, (uint64_t)(uintptr_t)area, read, SIZE, &moved), S_OK);
    memcpy(&fits, values + at * 8, sizeof fits);
    memcpy(values + at * 8, &wide, sizeof wide);
    done = narrow(held, 0, values, count);
    CHECK(done <= at);
    CHECK_EQUAL(linux_memory_read(held, (uint64_t)(uintptr_t)area, read, SIZE, &moved), S_OK);
    for (size_t i = 0; i < done; i++) {
        if (!CHECK(memcmp(&read[i], values + i * 8, 4) == 0)) {
            break;
        }
    }
    CHECK_EQUAL(read[at], 0);
    memcpy(values + at * 8, &fits, sizeof fits);
    free(read);
}

static void test_work(unsigned char *values)
{
    child one = child_start(serve, NULL);
    embedded_target *held;

    CHECK(child_hear(&one));
    held = hold(&one, true, true);
    if (CHECK(held != NULL)) {
        test_comparing(held, values);
        test_narrowing(held, values);
        held->operations->detach(held);
        CHECK_EQUAL(equal(held, 0, values, SIZE), 0);
        CHECK_EQUAL(narrow(held, 0, values, SIZE / 4), 0);
        held->operations->destroy(held);
    }
    child_stop(&one);
}

/* Work that can't be shared is refused and left to the usual calls. */
static void test_refusals(const unsigned char *values)
{
    child one = child_start(serve, NULL);
    embedded_target *held;

    CHECK(child_hear(&one));
    held = hold(&one, false, true);
    if (CHECK(held != NULL)) { /* the process runs */
        CHECK_EQUAL(narrow(held, 0, values, SIZE / 4), 0);
        CHECK_EQUAL(equal(held, 0, values, SIZE), 0);
        held->operations->destroy(held);
    }
    held = hold(&one, true, false);
    if (CHECK(held != NULL)) { /* the target is read-only */
        CHECK_EQUAL(narrow(held, 0, values, SIZE / 4), 0);
        held->operations->destroy(held);
    }
    child_stop(&one);
    mprotect(area + SIZE / 2, page, PROT_NONE);
    one = child_start(serve, NULL);
    CHECK(child_hear(&one));
    held = hold(&one, true, true);
    if (CHECK(held != NULL)) { /* a page can't be read */
        unsigned char *zeros = calloc(1, SIZE);

        CHECK_EQUAL(narrow(held, 0, values, SIZE / 4), 0);
        CHECK(zeros != NULL && equal(held, 0, zeros, SIZE) <= SIZE / 2);
        CHECK_EQUAL(equal(held, 0, zeros, SIZE / 2), SIZE / 2);
        free(zeros);
        held->operations->destroy(held);
    }
    child_stop(&one);
    mprotect(area + SIZE / 2, page, PROT_READ | PROT_WRITE);
}

static void *end_at_once(void *argument)
{
    return argument;
}

/* A helper that ends before it has its processors leaves the caller those that it had. */
static void test_callers_processors(void)
{
    cpu_set_t before, after;

    CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
    for (int i = 0; i < 500; i++) {
        pthread_t thread;
        void *result = NULL;

        if (CHECK(linux_helper_start(&thread, end_at_once, area))) {
            CHECK(pthread_join(thread, &result) == 0 && result == area);
        }
    }
    CHECK(sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&before, &after));
}

int main(void)
{
    unsigned char *values = make_values();
    cpu_set_t all, first;

    alarm(60);
    page = (size_t)sysconf(_SC_PAGESIZE);
    area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED || values == NULL) {
        return 1;
    }
    test_callers_processors();
    test_work(values);
    test_refusals(values);
    /* With one processor only. */
    CPU_ZERO(&first);
    if (CHECK(sched_getaffinity(0, sizeof all, &all) == 0)) {
        for (int i = 0; CPU_COUNT(&first) == 0; i++) {
            if (CPU_ISSET(i, &all)) {
                CPU_SET(i, &first);
            }
        }
        CHECK(sched_setaffinity(0, sizeof first, &first) == 0);
        test_work(values);
    }
    free(values);
    return check_report();
}
