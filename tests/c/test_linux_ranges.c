/* Tests of finding processes that share a stopped process's memory, and of moving ranges of which
 * some can't be moved. */
#define _GNU_SOURCE 1
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/engines/embedded/linux/ranges.h"
#include "../../csrc/engines/embedded/linux/sharing.h"
#include "check.h"
#include "linux_children.h"

#define PAGES 3000u

static unsigned char *area; /* at the same address in the children, which are forked */
static size_t page;

static void serve(child *self, void *context)
{
    (void)context;
    child_serve(self);
}

static int wait_for_ever(void *unused)
{
    (void)unused;
    for (;;) {
        pause();
    }
    return 0;
}

/* Starts a process that shares this child's memory and is not its thread; it ends with the test. */
static void serve_and_share(child *self, void *context)
{
    static unsigned char stack[65536];
    pid_t *shared = context;

    *shared = clone(wait_for_ever, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    child_serve(self);
}

static embedded_target *hold(const child *served)
{
    linux_attach_options options = {.process_id = served->id,
                                    .suspend = true,
                                    .writable = true,
                                    .waiting = {.timeout_ns = UINT64_MAX}};
    linux_open_error error;

    return linux_attach(&options, &error);
}

static void test_alone(void)
{
    child one = child_start(serve, NULL);
    embedded_target *held;
    uint64_t end = 0;

    CHECK(child_hear(&one));
    CHECK(!linux_sharing_found(one.id));
    held = hold(&one);
    if (CHECK(held != NULL)) {
        CHECK_EQUAL(linux_ranges_span_region(held, (uint64_t)(uintptr_t)area, &end), S_OK);
        CHECK(end >= (uint64_t)(uintptr_t)area + PAGES * page);
        held->operations->destroy(held);
    }
    child_stop(&one);
}

static void test_shared(void)
{
    pid_t *shared = shared_room(sizeof *shared);
    child one = child_start(serve_and_share, shared);
    embedded_target *held;
    uint64_t end = 0;

    CHECK(child_hear(&one));
    CHECK(*shared > 0);
    CHECK(linux_sharing_found(one.id));
    held = hold(&one);
    if (CHECK(held != NULL)) {
        CHECK_EQUAL(linux_ranges_span_region(held, (uint64_t)(uintptr_t)area, &end), S_FALSE);
        held->operations->destroy(held);
    }
    kill(*shared, SIGKILL);
    child_stop(&one);
}

/* Every second page is read-only and is forced separately; the work ends at an unmapped page. */
static void test_mixed_ranges(void)
{
    static pointer_range ranges[PAGES];
    static uint64_t values[PAGES], held_values[PAGES];
    child one;
    embedded_target *held;
    size_t done = 0;

    for (size_t i = 0; i < PAGES; i++) {
        ranges[i] = (pointer_range){(uint64_t)(uintptr_t)(area + i * page), &values[i], 8};
        values[i] = i + 1;
        if (i % 2 == 1 && i < 200) {
            mprotect(area + i * page, page, PROT_READ);
        }
    }
    munmap(area + 2500 * page, page);
    one = child_start(serve, NULL);
    CHECK(child_hear(&one));
    held = hold(&one);
    if (CHECK(held != NULL)) {
        CHECK(linux_ranges_move(held, true, ranges, PAGES, &done) == HR_INVALID_ADDRESS);
        CHECK_EQUAL(done, 2500);
        for (size_t i = 0; i < PAGES; i++) {
            ranges[i].Data = &held_values[i];
        }
        CHECK(linux_ranges_move(held, false, ranges, PAGES, &done) == HR_READ_FAULT);
        CHECK_EQUAL(done, 2500);
        CHECK(memcmp(values, held_values, 2500 * 8) == 0);
        CHECK_EQUAL(linux_ranges_move(held, false, ranges + 2501, 10, &done), S_OK);
        CHECK_EQUAL(done, 10);
        CHECK_EQUAL(held_values[2501], 0);
        held->operations->detach(held);
        CHECK_EQUAL(linux_ranges_move(held, false, ranges, 10, &done), E_UNEXPECTED);
        held->operations->destroy(held);
    }
    child_stop(&one);
}

int main(void)
{
    alarm(60);
    page = (size_t)sysconf(_SC_PAGESIZE);
    area = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) {
        return 1;
    }
    test_alone();
    test_shared();
    test_mixed_ranges();
    return check_report();
}
