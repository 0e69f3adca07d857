/* Tests of pointers of a stopped process, whose pages several threads share. They do so on a busy
 * machine, too: the target is told that processors are idle. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/com/iids.h"
#include "../../csrc/core/dispatch.h"
#include "../../csrc/core/row.h"
#include "../../csrc/engines/embedded/client.h"
#include "../../csrc/engines/embedded/linux/memory.h"
#include "../../csrc/engines/embedded/linux/process.h"
#include "../../csrc/engines/embedded/linux/processors.h"
#include "../../csrc/engines/embedded/linux/shares.h"
#include "check.h"
#include "linux_children.h"

#define PAGES 2048u
#define COUNT 150000u

static unsigned char *area; /* at the same address in the children, which are forked */
static size_t page;
static uint64_t addresses[COUNT], values[COUNT], held[COUNT];

/* What happens within the work that an engine shares. */
static struct {
    atomic_i32 parts; /* that have begun */
    bool kill;        /* the second one kills the target, and awaits its end */
    bool fork;        /* the second one forks */
    ULONG64 done;     /* addresses whose work was shared */
    int failures;     /* answers that were not S_OK */
    const shared_work *work;
    embedded_target *target;
} seen;

static IPointerScatterVtbl watched;
static HRESULT(STDMETHODCALLTYPE *share_by_pages)(IPointerScatter *, const shared_work *,
                                                  ULONG64 *);

static void serve(child *self, void *context)
{
    (void)context;
    child_serve(self);
}

/* In a forked child the target is lost; nothing else is called there. */
static void fork_here(void)
{
    pid_t forked = fork();
    int status = -1;

    if (forked == 0) {
        _exit(linux_held_lost((linux_target *)seen.target) ? 0 : 1);
    }
    CHECK(waitpid(forked, &status, 0) == forked && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool watched_part(void *context, const pointer_mover *mover, void *room, ULONG64 first,
                         ULONG64 past)
{
    if (atomic_i32_add(&seen.parts, 1) == 2) {
        if (seen.kill) {
            kill((pid_t)seen.target->process_id, SIGKILL);
            while (!linux_held_ended((linux_target *)seen.target)) {
            }
        }
        if (seen.fork) {
            fork_here();
        }
    }
    return seen.work->do_part(context, mover, room, first, past);
}

static HRESULT STDMETHODCALLTYPE watched_share(IPointerScatter *This, const shared_work *Work,
                                               ULONG64 *Done)
{
    shared_work work = *Work;
    HRESULT status;

    seen.work = Work;
    work.do_part = watched_part;
    status = share_by_pages(This, &work, Done);
    seen.done += *Done;
    seen.failures += status == S_OK ? 0 : 1;
    return status;
}

static bool go_on(void *context, uint64_t done, uint64_t total)
{
    bool *stopping = context;

    CHECK(done > 0 && done <= total);
    return !*stopping;
}

/* A session without Python. */
typedef struct session {
    IDebugClient5 *client;
    core_target target;
    core_pace pace;
    bool stopping;
    core_error error;
} session;

/* Says that seven processors are idle. */
static void pretend_idle(embedded_target *embedded)
{
    linux_target *process = (linux_target *)embedded;
    static const char load[] = "0.00 0.00 0.00 1/1 1\n";

    process->load = memfd_create("load", MFD_CLOEXEC);
    process->processors = 8;
    CHECK(write(process->load, load, sizeof load - 1) == (ssize_t)sizeof load - 1);
}

static bool open_session(session *self, const child *served)
{
    linux_open_error error;
    void *control = NULL, *data_spaces = NULL, *scatter = NULL;

    memset(self, 0, sizeof *self);
    memset(&seen, 0, sizeof seen);
    seen.target = attach_to(served->id, true, true, 60000, &error);
    if (!CHECK(seen.target != NULL)) {
        return false;
    }
    pretend_idle(seen.target);
    self->client = embedded_client_create(seen.target);
    self->client->lpVtbl->QueryInterface(self->client, &iid_debug_control, &control);
    self->client->lpVtbl->QueryInterface(self->client, &iid_debug_data_spaces4, &data_spaces);
    self->client->lpVtbl->QueryInterface(self->client, &iid_pointer_scatter, &scatter);
    self->target =
        (core_target){.control = control, .data_spaces = data_spaces, .scatter = scatter};
    self->target.stopped = true;
    self->pace = (core_pace){.step = go_on,
                             .now_ns = linux_now,
                             .context = &self->stopping,
                             .first_chunk = 1000,
                             .chunk_ns = UINT64_C(50000000)};
    watched = *self->target.scatter->lpVtbl;
    share_by_pages = watched.ShareByPages;
    watched.ShareByPages = watched_share;
    self->target.scatter->lpVtbl = &watched;
    return true;
}

static void close_session(session *self)
{
    (void)self->target.scatter->lpVtbl->Release(self->target.scatter);
    (void)self->target.data_spaces->lpVtbl->Release(self->target.data_spaces);
    (void)self->target.control->lpVtbl->Release(self->target.control);
    (void)self->client->lpVtbl->Release(self->client);
}

static core_request all_of(uint64_t *to)
{
    return (core_request){.kind = CORE_SCATTERED,
                          .addresses = {(const unsigned char *)addresses, 8, COUNT},
                          .values = {(const unsigned char *)values, 8, COUNT},
                          .spans = true,
                          .to = to};
}

static core_status write_all(session *self)
{
    core_request request = all_of(NULL);

    return core_write(&self->target, &request, &self->pace, &self->error);
}

static core_status read_all(session *self)
{
    core_request request = all_of(held);

    return core_read(&self->target, &request, &self->pace, &self->error);
}

/* Addresses at random: most pages have many, every fourth has one, which may come again. */
static void choose_places(bool again)
{
    static bool taken[PAGES * 512];
    uint64_t state = 7;

    memset(taken, 0, sizeof taken);
    for (size_t i = 0; i < COUNT;) {
        size_t at;

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        at = (size_t)(state >> 33) % (PAGES * 512);
        at = at / 512 % 4 == 3 ? at / 512 * 512 : at;
        if (!taken[at] || (again && at % 2048 == 1536)) {
            taken[at] = true;
            addresses[i++] = (uint64_t)(uintptr_t)area + at / 512 * page + at % 512 * 8;
        }
    }
}

static void choose_values(uint64_t seed)
{
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (i + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ seed;
    }
}

/* Writes what the target must hold afterwards to a copy of its area. */
static void write_model(unsigned char *model, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(model + (addresses[i] - (uint64_t)(uintptr_t)area), &values[i], 8);
    }
}

static unsigned char *copy_of_area(void)
{
    unsigned char *copy = malloc(PAGES * page);
    size_t moved = 0;

    CHECK_EQUAL(
        linux_memory_read(seen.target, (uint64_t)(uintptr_t)area, copy, PAGES * page, &moved),
        S_OK);
    return copy;
}

/* Each pointer lands, the last of duplicates counts, and no other byte changes. */
static void test_all(bool with_an_odd_page)
{
    child one;
    session self;

    if (with_an_odd_page) { /* it can't be shared, and is forced */
        mprotect(area + 1001 * page, page, PROT_READ);
    }
    one = child_start(serve, NULL);
    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        unsigned char *model = copy_of_area(), *after;

        choose_values(1);
        CHECK_EQUAL(write_all(&self), CORE_OK);
        CHECK(seen.failures == 0);
        /* On a busy machine parts are smaller, and the last one can be too small to be shared. */
        CHECK(linux_processors_usable() == 1 || !with_an_odd_page || seen.done < COUNT);
        CHECK(linux_processors_usable() == 1 || seen.done > COUNT / 4);
        after = copy_of_area();
        write_model(model, COUNT);
        CHECK(memcmp(after, model, PAGES * page) == 0);
        CHECK_EQUAL(read_all(&self), CORE_OK);
        for (size_t i = 0; i < COUNT; i++) {
            uint64_t wanted;

            memcpy(&wanted, model + (addresses[i] - (uint64_t)(uintptr_t)area), 8);
            if (!CHECK(held[i] == wanted)) {
                break;
            }
        }
        free(after);
        free(model);
        close_session(&self);
    }
    child_stop(&one);
    mprotect(area + 1001 * page, page, PROT_READ | PROT_WRITE);
}

/* The second thread, and the first one's wait for it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t first;
    int threads;
    unsigned char done[PAGES];
} met = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static bool meet(void *context, const pointer_mover *mover, void *room, ULONG64 first, ULONG64 past)
{
    uint64_t value = 5;
    bool good = context == &met && room != NULL;

    pthread_mutex_lock(&met.lock);
    if (met.threads == 0) {
        met.first = pthread_self();
        met.threads = 1;
    } else if (met.threads == 1 && !pthread_equal(met.first, pthread_self())) {
        met.threads = 2;
        pthread_cond_broadcast(&met.changed);
    }
    while (met.threads < 2) {
        pthread_cond_wait(&met.changed, &met.lock);
    }
    for (ULONG64 i = first; i < past; i++) {
        met.done[i]++;
    }
    pthread_mutex_unlock(&met.lock);
    for (ULONG64 i = first; good && i < past; i++) {
        pointer_range range = {(uint64_t)(uintptr_t)area + i * page, &value, 8};

        good = mover->move(mover, true, 1, &range);
    }
    return good;
}

/* Two threads work at once, and each address is in one part. */
static void test_two_threads(void)
{
    child one = child_start(serve, NULL);
    shared_work work = {.addresses = (const unsigned char *)addresses,
                        .stride = 8,
                        .count = PAGES,
                        .writing = true,
                        .room_size = 100,
                        .context = &met,
                        .do_part = meet};
    linux_open_error error;
    ULONG64 done = 0;

    CHECK(child_hear(&one));
    for (size_t i = 0; i < PAGES; i++) {
        addresses[i] = (uint64_t)(uintptr_t)area + i * page;
    }
    seen.target = attach_to(one.id, true, true, 60000, &error);
    if (CHECK(seen.target != NULL)) {
        pretend_idle(seen.target);
        CHECK_EQUAL(linux_shares_run(seen.target, &work, &done), S_OK);
        CHECK_EQUAL(done, PAGES);
        for (size_t i = 0; i < PAGES; i++) {
            if (!CHECK(met.done[i] == 1)) {
                break;
            }
        }
        work.count = LINUX_SHARES_LEAST_PAGES - 1;
        CHECK_EQUAL(linux_shares_run(seen.target, &work, &done), S_OK);
        CHECK_EQUAL(done, 0);
        seen.target->operations->destroy(seen.target);
    }
    child_stop(&one);
}

/* The pages past the end of a truncated file fail while other threads go on. What landed is known
 * to the pointer. */
static void test_failing_pages(void)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    unsigned char *mapped;
    child one;
    session self;

    CHECK(ftruncate(file, (off_t)(PAGES * page)) == 0);
    mapped = mmap(area, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0);
    CHECK(mapped == area);
    one = child_start(serve, NULL);
    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        uint64_t end = (uint64_t)(uintptr_t)area + PAGES * page / 4 * 3;
        uint64_t first = 0;

        choose_values(2);
        CHECK_EQUAL(read_all(&self), CORE_OK); /* the pages are present now */
        CHECK_EQUAL(read_all(&self), CORE_OK); /* and are known to be */
        while (first < COUNT && addresses[first] < end) {
            first++;
        }
        CHECK(first < COUNT);
        CHECK(ftruncate(file, (off_t)(PAGES * page / 4 * 3)) == 0);
        seen.done = 0;
        CHECK_EQUAL(write_all(&self), CORE_ENGINE);
        CHECK_EQUAL(seen.failures, linux_processors_usable() > 1);
        CHECK(self.error.known);
        CHECK_EQUAL(self.error.landed, first);
        CHECK_EQUAL(self.error.at, addresses[first]);
        CHECK_EQUAL(self.error.hresult, HR_WRITE_FAULT);
        close_session(&self);
    }
    child_stop(&one);
    close(file);
    mapped = mmap(area, PAGES * page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(mapped == area);
    memset(area, 0x11, PAGES * page);
}

/* The target dies while several threads write to it. */
static void test_death(void)
{
    child one = child_start(serve, NULL);
    session self;

    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        seen.kill = true;
        CHECK_EQUAL(write_all(&self), linux_processors_usable() == 1 ? CORE_OK : CORE_ENGINE);
        if (linux_processors_usable() > 1) {
            CHECK_EQUAL(seen.failures, 1);
            CHECK_EQUAL(self.error.hresult, E_UNEXPECTED);
            CHECK(!self.error.known);
        }
        close_session(&self);
    }
    child_stop(&one);
}

/* A step that stops the work, as Ctrl-C does: the number of leading elements is right. */
static void test_stop(void)
{
    child one = child_start(serve, NULL);
    session self;

    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        unsigned char *before = copy_of_area(), *after;
        size_t landed;

        self.pace.chunk_ns = 1;
        self.stopping = true;
        choose_values(3);
        CHECK_EQUAL(write_all(&self), CORE_STOPPED);
        landed = (size_t)self.error.done;
        CHECK(landed < COUNT);
        CHECK(linux_processors_usable() == 1 || (seen.done > 0 && seen.done < COUNT));
        /* The element behind the leading ones is not in place, and all before are. */
        after = copy_of_area();
        for (size_t i = 0; i <= landed; i++) {
            size_t at = (size_t)(addresses[i] - (uint64_t)(uintptr_t)area);

            if (!CHECK((memcmp(after + at, before + at, 8) == 0) == (i == landed))) {
                break;
            }
        }
        free(after);
        free(before);
        close_session(&self);
    }
    child_stop(&one);
}

/* A fork in the middle, by a thread that works: the child has no part in it. */
static void test_fork(void)
{
    child one = child_start(serve, NULL);
    session self;

    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        unsigned char *model = copy_of_area(), *after;

        seen.fork = true;
        choose_values(4);
        CHECK_EQUAL(write_all(&self), CORE_OK);
        after = copy_of_area();
        write_model(model, COUNT);
        CHECK(memcmp(after, model, PAGES * page) == 0);
        free(after);
        free(model);
        close_session(&self);
    }
    child_stop(&one);
}

#define CALLS 500

static struct {
    int order[CALLS];
    int count;
    int by_caller;
    pthread_t caller;
} called;

static void note_call(void *context)
{
    called.order[called.count++] = *(const int *)context;
    called.by_caller += pthread_equal(called.caller, pthread_self()) ? 1 : 0;
}

/* Up to two functions are given to another thread, which calls them in turn; some are waited for
 * only when the thread has nothing more to do. */
static void test_aside(void)
{
    static int numbers[CALLS];
    child one = child_start(serve, NULL);
    session self;

    CHECK(child_hear(&one));
    if (linux_processors_usable() > 1 && open_session(&self, &one)) {
        IPointerScatter *scatter = self.target.scatter;
        int begun = 0, ended = 0;

        called.caller = pthread_self();
        while (ended < CALLS) {
            if (begun < CALLS && begun - ended < (int)POINTER_ASIDE_MOST && begun % 7 != 6) {
                numbers[begun] = begun;
                CHECK_EQUAL(scatter->lpVtbl->BeginAside(scatter, note_call, &numbers[begun]), S_OK);
                begun++;
            } else {
                CHECK_EQUAL(scatter->lpVtbl->EndAside(scatter), S_OK);
                ended++;
                if (begun == ended && begun < CALLS) { /* the first of a new thread */
                    numbers[begun] = begun;
                    CHECK_EQUAL(scatter->lpVtbl->BeginAside(scatter, note_call, &numbers[begun]),
                                S_OK);
                    begun++;
                }
            }
        }
        CHECK_EQUAL(called.count, CALLS);
        CHECK_EQUAL(called.by_caller, 0);
        for (int i = 0; i < CALLS; i++) {
            if (!CHECK(called.order[i] == i)) {
                break;
            }
        }
        close_session(&self);
    }
    child_stop(&one);
}

#define ROW_PIECE  (128 * page)
#define ROW_PIECES (PAGES / 128)
#define ROW_BYTES  (ROW_PIECES * ROW_PIECE)

/* Cuts the bytes from `inside` a page on into pieces, whose memory is `room`: old, then fresh. */
static core_row cut_row(const core_request *request, core_row_piece *pieces, unsigned char *room,
                        size_t inside)
{
    core_row row = {.request = request, .width = 1, .pieces = pieces};
    uint64_t from = 0;

    while (from < ROW_BYTES - inside) {
        uint64_t end = (row.count + 1) * ROW_PIECE - inside;

        pieces[row.count++] = (core_row_piece){.from = from,
                                               .count = end - from,
                                               .old = room + from,
                                               .fresh = room + ROW_BYTES + from};
        from = end;
    }
    return row;
}

/* Pieces of a row are kept and written, up to the first with a page that can't be shared. */
static void test_row(size_t inside, bool with_an_odd_page)
{
    static unsigned char bytes[PAGES * 4096];
    unsigned char *room = malloc(2 * ROW_BYTES), *before, *after;
    core_request request = {.kind = CORE_BYTES,
                            .address = (uint64_t)(uintptr_t)area + inside,
                            .values = {bytes, 1, ROW_BYTES - inside}};
    core_row_piece pieces[ROW_PIECES];
    core_row row = cut_row(&request, pieces, room, inside);
    size_t odd = ROW_PIECES / 2, done, wanted = with_an_odd_page ? odd : ROW_PIECES;
    child one;
    session self;
    bool good = false;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i % 251 + inside);
    }
    if (with_an_odd_page) {
        mprotect(area + odd * ROW_PIECE + 5 * page, page, PROT_READ);
    }
    one = child_start(serve, NULL);
    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        before = copy_of_area();
        CHECK_EQUAL(core_row_first(&self.target, request.address, ROW_PIECE, 1),
                    ROW_PIECE - inside);
        done = core_row_write(&self.target, &row, &good);
        CHECK(good);
        CHECK_EQUAL(done, linux_processors_usable() == 1 ? 0 : wanted);
        after = copy_of_area();
        for (size_t i = 0; i < ROW_PIECES; i++) {
            const core_row_piece *piece = &pieces[i];
            size_t at = inside + (size_t)piece->from;

            CHECK(piece->kept == (i < done));
            CHECK(memcmp(after + at, i < done ? bytes + piece->from : before + at,
                         (size_t)piece->count) == 0);
            CHECK(i >= done ||
                  (memcmp(piece->old, before + at, (size_t)piece->count) == 0 &&
                   memcmp(piece->fresh, bytes + piece->from, (size_t)piece->count) == 0));
        }
        CHECK(memcmp(after, before, inside) == 0);
        free(after);
        free(before);
        close_session(&self);
    }
    child_stop(&one);
    free(room);
    mprotect(area, PAGES * page, PROT_READ | PROT_WRITE);
}

/* A row of which a piece does not hold what is expected is not written at all. */
static void test_row_that_differs(void)
{
    static uint64_t wanted = 0x1111111111111111;
    unsigned char *room = malloc(2 * ROW_BYTES), *before, *after;
    core_request request = {.kind = CORE_POINTERS,
                            .address = (uint64_t)(uintptr_t)area,
                            .values = {(unsigned char *)&wanted, 0, ROW_BYTES / 8}};
    core_request expected = request;
    core_row_piece pieces[ROW_PIECES];
    core_row row = cut_row(&request, pieces, room, 0);
    child one;
    session self;
    bool good = true;

    row.width = 8;
    row.expected = &expected;
    for (size_t i = 0; i < ROW_PIECES; i++) {
        pieces[i].from /= 8;
        pieces[i].count /= 8;
    }
    area[ROW_BYTES - 1] = 0x12;
    one = child_start(serve, NULL);
    CHECK(child_hear(&one));
    if (open_session(&self, &one)) {
        uint64_t other = 5;

        before = copy_of_area();
        request.values.first = (unsigned char *)&other;
        CHECK_EQUAL(core_row_write(&self.target, &row, &good), 0);
        CHECK(good == (linux_processors_usable() == 1));
        for (size_t i = 0; i < ROW_PIECES; i++) {
            CHECK(!pieces[i].kept);
        }
        after = copy_of_area();
        CHECK(memcmp(after, before, PAGES * page) == 0);
        free(after);
        free(before);
        close_session(&self);
    }
    child_stop(&one);
    free(room);
    area[ROW_BYTES - 1] = 0x11;
}

int main(void)
{
    alarm(120);
    page = (size_t)sysconf(_SC_PAGESIZE);
    area = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) {
        return 1;
    }
    memset(area, 0x11, PAGES * page);
    if (linux_processors_usable() > 1) {
        test_two_threads();
    }
    choose_places(true);
    test_all(false);
    test_all(true);
    choose_places(false);
    test_failing_pages();
    test_death();
    test_stop();
    test_fork();
    test_aside();
    test_row(0, false);
    test_row(24, false);
    test_row(24, true);
    test_row_that_differs();
    return check_report();
}
