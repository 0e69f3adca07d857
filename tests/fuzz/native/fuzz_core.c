/* Fuzzes the core over the embedded engine and simulated memory: what each request leaves in the
 * target, and what it reports, must be what a simple model says.
 *
 * Widths of 4 and 8 bytes, all kinds and ways of requests, engines with IPointerScatter and
 * without, protections, and faults. Where a fault lets some accesses pass, only what must hold for
 * any fault is checked: that nothing outside changes, and that what is reported as written is
 * there.
 */
#include <string.h>

#include "../../../csrc/com/iids.h"
#include "../../../csrc/engines/embedded/client.h"
#include "model.h"
#include "requests.h"

#define MOST_REQUESTS 6

static model now;
static unsigned char before[MODEL_MOST], after[MODEL_MOST], painted[MODEL_MOST];
static unsigned char covered[MODEL_MOST];
static core_target target;

/* Puts the bytes of elements 0..count-1 into `to`, in order. Bytes outside the window are left out.
 */
static void paint(const fuzz_request *self, uint64_t count, unsigned char *to, unsigned char *marks)
{
    for (uint64_t i = 0; i < count; i++) {
        for (uint32_t b = 0; b < self->width; b++) {
            size_t place;

            if (model_place(&now, self->addresses[i] + b, &place)) {
                to[place] = (unsigned char)(self->values[i] >> (8 * b));
                if (marks != NULL) {
                    marks[place] = 1;
                }
            }
        }
    }
}

/* Are the element's bytes in `held` as in `wanted`? Bytes whose writes are lost count as equal if
 * `lost` is set. */
static bool element_is(const fuzz_request *self, uint64_t index, const unsigned char *wanted,
                       const unsigned char *held, bool lost)
{
    bool equal = true;

    for (uint32_t b = 0; b < self->width; b++) {
        size_t place;

        equal = equal && model_place(&now, self->addresses[index] + b, &place) &&
                (held[place] == wanted[place] || (lost && now.lost[place] != 0));
    }
    return equal;
}

/* Outside the window nothing can change. */
static bool element_unchanged(const fuzz_request *self, uint64_t index)
{
    bool equal = true;

    for (uint32_t b = 0; b < self->width; b++) {
        size_t place;

        equal = equal && (!model_place(&now, self->addresses[index] + b, &place) ||
                          after[place] == before[place]);
    }
    return equal;
}

static bool element_leads(const fuzz_request *self, uint64_t index, bool writing)
{
    return model_leading(&now, self->addresses[index], self->width, writing) == self->width;
}

/* A pointer that can't be read can't be put back. Of an engine without IPointerScatter it is known
 * that access changes at a page's boundary alone, so a fault inside an aligned pointer, which no
 * such engine has, tears it. */
static bool may_be_torn(const fuzz_request *self, uint64_t index)
{
    return !element_leads(self, index, false) ||
           (target.scatter == NULL && self->addresses[index] % self->width == 0);
}

static uint64_t first_refused(const fuzz_request *self, bool writing)
{
    uint64_t index = 0;

    while (index < self->request.values.count && element_leads(self, index, writing)) {
        index++;
    }
    return index;
}

/* What every request says that does not begin. */
static core_status beginning(const fuzz_request *self, bool gone)
{
    const core_request *request = &self->request;
    uint64_t count = request->values.count, last = UINT64_MAX - (self->width - 1);

    if (gone) {
        return CORE_ENGINE;
    }
    for (uint64_t i = 0; request->kind == CORE_SCATTERED && i < count; i++) {
        if (self->addresses[i] > last) {
            return CORE_WRAPS;
        }
    }
    if (request->kind != CORE_SCATTERED && count > 0 &&
        (request->address > last || (count - 1) > (last - request->address) / self->width)) {
        return CORE_WRAPS;
    }
    return CORE_OK;
}

static void check_unchanged_elsewhere(void)
{
    for (size_t i = 0; i < now.size; i++) {
        FUZZ_CHECK(after[i] == before[i] || (covered[i] != 0 && now.lost[i] == 0));
        FUZZ_CHECK(after[i] == before[i] || now.protection[i] == SIMULATED_READ_WRITE);
    }
}

/* After a write, in any way that may have failed. */
static void check_written(const fuzz_request *self, core_status status, const core_error *error)
{
    const core_request *request = &self->request;
    uint64_t count = request->values.count, wide = fuzz_request_first_wide(self);
    bool scattered = request->kind == CORE_SCATTERED;
    uint64_t good = first_refused(self, true), landed = 0;

    memcpy(painted, before, now.size);
    memset(covered, 0, now.size);
    paint(self, count, painted, covered);
    check_unchanged_elsewhere();
    FUZZ_CHECK(!error->known || error->landed <= count);
    FUZZ_CHECK(error->done <= count);
    if (status == CORE_OK) {
        FUZZ_CHECK(wide == count && error->done == count);
        for (uint64_t i = 0; i < count; i++) {
            FUZZ_CHECK(element_is(self, i, painted, after, true));
        }
    } else if (wide < count && status != CORE_STOPPED) {
        FUZZ_CHECK(status == CORE_POINTER_RANGE && error->index == wide);
        FUZZ_CHECK(error->value == self->values[wide]);
        FUZZ_CHECK(memcmp(before, after, now.size) == 0);
        return;
    }
    for (uint64_t i = 0; status == CORE_ENGINE && error->known && i < error->landed; i++) {
        FUZZ_CHECK(element_is(self, i, painted, after, false));
    }
    if (status == CORE_STOPPED && !scattered) {
        for (uint64_t i = 0; i < error->done; i++) {
            FUZZ_CHECK(element_is(self, i, painted, after, true));
        }
        for (uint64_t i = error->done; i < count; i++) {
            FUZZ_CHECK(element_unchanged(self, i));
        }
    }
    if (now.counted || status == CORE_STOPPED) {
        return;
    }
    FUZZ_CHECK((good == count) == (status == CORE_OK));
    if (status == CORE_ENGINE) {
        while (landed < count && element_leads(self, landed, false) &&
               element_is(self, landed, painted, after, false)) {
            landed++;
        }
        FUZZ_CHECK(error->known && error->landed == landed);
    }
    for (uint64_t i = 0; status == CORE_ENGINE && !scattered && i < count; i++) {
        FUZZ_CHECK(i < good ? element_is(self, i, painted, after, true)
                            : element_unchanged(self, i) || may_be_torn(self, i));
    }
}

/* Writes and keeps: what was kept restores all that may have been written. */
static void write_kept(fuzz_request *self)
{
    uint64_t count = self->request.values.count;
    core_kept kept = {fuzz_memory((size_t)count * 8), fuzz_memory((size_t)count * self->width),
                      fuzz_memory((size_t)count * self->width), fuzz_memory((size_t)count)};
    core_error error;
    bool done;

    memset(kept.known, 0, (size_t)count);
    done = core_write_kept(&target, &self->request, &self->pace, &kept, &error);
    simulated_clear_faults(now.target);
    model_read_target(&now, after);
    memcpy(painted, before, now.size);
    paint(self, count, painted, NULL);
    FUZZ_CHECK(!done || error.status == CORE_OK || error.status == CORE_STOPPED);
    for (uint64_t i = 0; done && i < (error.status == CORE_OK ? count : error.done); i++) {
        FUZZ_CHECK(element_is(self, i, painted, after, true));
    }
    for (uint64_t i = count; i-- > 0;) {
        for (uint32_t b = 0; kept.known[i] != 0 && b < self->width; b++) {
            size_t place;

            FUZZ_CHECK(model_place(&now, kept.where[i] + b, &place));
            after[place] = kept.old[i * self->width + b];
        }
    }
    FUZZ_CHECK(memcmp(before, after, now.size) == 0);
    free(kept.where);
    free(kept.old);
    free(kept.fresh);
    free(kept.known);
}

static void check_read(const fuzz_request *self, core_status status, const core_error *error)
{
    const core_request *request = &self->request;
    uint64_t count = request->values.count, size = request->kind == CORE_BYTES ? 1 : 8;
    uint64_t read = status == CORE_OK ? count : status == CORE_STOPPED ? error->done : 0;
    bool scattered = request->kind == CORE_SCATTERED;

    FUZZ_CHECK(error->done <= count);
    if (status == CORE_ENGINE) {
        FUZZ_CHECK(!error->known || error->landed <= count);
        read = error->known ? error->landed : 0;
    }
    if (!now.counted && status != CORE_STOPPED) {
        uint64_t good = first_refused(self, false);

        FUZZ_CHECK((good == count) == (status == CORE_OK));
        FUZZ_CHECK(status == CORE_OK || (error->known && error->landed == good));
    }
    /* A fault that lets some reads pass may refuse the next reading of the same pointers. */
    for (uint64_t i = 0; (status != CORE_ENGINE || !now.counted) && i < read; i++) {
        for (uint32_t b = 0; b < size; b++) {
            size_t place;
            unsigned char held = 0;

            if (b < self->width) {
                FUZZ_CHECK(model_place(&now, self->addresses[i] + b, &place));
                held = before[place];
            }
            FUZZ_CHECK(status == CORE_STOPPED && scattered ? true : self->to[i * size + b] == held);
        }
    }
    if (request->kind == CORE_POINTERS && !request->fresh && !now.counted) {
        for (uint64_t i = read * 8; i < self->to_size; i++) {
            FUZZ_CHECK(self->to[i] == 0xA5);
        }
    }
}

static uint64_t number_at(const fuzz_request *self, uint64_t index, const unsigned char *bytes)
{
    uint64_t number = 0;

    for (uint32_t b = 0; b < self->width; b++) {
        size_t place;

        FUZZ_CHECK(model_place(&now, self->addresses[index] + b, &place));
        number |= (uint64_t)bytes[place] << (8 * b);
    }
    return number;
}

static void check_compared(const fuzz_request *self, core_status status,
                           const core_differences *found, const core_error *error)
{
    const core_request *request = &self->request;
    uint64_t count = request->values.count, good = first_refused(self, false);
    uint64_t mask = self->width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * self->width)) - 1;
    bool scattered = request->kind == CORE_SCATTERED, all_equal = true;
    uint64_t total = 0, first = count;

    FUZZ_CHECK(found->kept <= CORE_MISMATCHES && found->kept <= found->total);
    if (now.counted || status == CORE_STOPPED) {
        return;
    }
    if (good < count) {
        FUZZ_CHECK(status == CORE_UNREADABLE && error->index == good);
        FUZZ_CHECK(error->at >= self->addresses[good] &&
                   error->at - self->addresses[good] < self->width);
        if (scattered) {
            return;
        }
    }
    memcpy(painted, before, now.size);
    paint(self, count, painted, NULL);
    for (uint64_t i = 0; i < good; i++) {
        uint64_t own = self->values[i] & mask, wanted = number_at(self, i, painted);
        bool differs =
            (scattered && request->each_counts ? own : wanted) != number_at(self, i, before);

        all_equal = all_equal && own == number_at(self, i, before);
        first = differs && first == count ? i : first;
        total += differs ? 1 : 0;
    }
    if (good == count) {
        FUZZ_CHECK(status == (total == 0 ? CORE_OK : CORE_DIFFERENT));
        FUZZ_CHECK(error->landed == first);
    }
    /* Elements of one address count once. */
    FUZZ_CHECK(scattered && !request->each_counts ? found->total <= total : found->total == total);
    FUZZ_CHECK(found->kept == (found->total < CORE_MISMATCHES ? found->total : CORE_MISMATCHES));
    for (uint32_t i = 0; i < found->kept; i++) {
        const core_mismatch *one = &found->first[i];

        FUZZ_CHECK(one->index < count && one->address == self->addresses[one->index]);
        FUZZ_CHECK(one->found == number_at(self, one->index, before) && one->wanted != one->found);
        FUZZ_CHECK(i == 0 || found->first[i - 1].index < one->index);
    }
}

/* Does the request, and checks what it says; what a write leaves is checked later. */
static core_status perform(fuzz_request *self, uint64_t what, bool once_checked, core_error *error)
{
    static core_differences found;
    core_request *request = &self->request;
    core_status status;

    if (what < 3) {
        bool good = core_check(&target, request, &self->pace, error);

        FUZZ_CHECK(!good || fuzz_request_first_wide(self) == request->values.count);
        request->checked = good && once_checked;
        status = core_write(&target, request, &self->pace, error);
    } else if (what < 6) {
        status = core_read(&target, request, &self->pace, error);
        check_read(self, status, error);
    } else {
        status = core_compare(&target, request, &self->pace, &found, error);
        check_compared(self, status, &found, error);
    }
    FUZZ_CHECK(status == error->status);
    return status;
}

/* A request that must end at once does nothing. */
static void refused(fuzz_request *self, uint64_t what, core_status reason)
{
    core_differences found;
    core_error error;
    core_status status;

    if (what < 4) {
        status = core_write(&target, &self->request, &self->pace, &error);
    } else if (what < 6) {
        status = core_read(&target, &self->request, &self->pace, &error);
    } else {
        status = core_compare(&target, &self->request, &self->pace, &found, &error);
    }
    /* Long addresses are checked in steps. */
    FUZZ_CHECK(status == reason && error.status == reason);
    FUZZ_CHECK(reason == CORE_WRAPS || (error.hresult == E_UNEXPECTED && !error.known));
}

static void one_request(fuzz_input *input, uint32_t width)
{
    uint64_t what = fuzz_below(input, 8), flags = fuzz_take(input, 1);
    bool gone = flags == 1;
    core_status begun, status = CORE_OK;
    core_error error;
    fuzz_request self;

    fuzz_request_create(&self, input, now.base, now.size, width);
    if (flags % 4 == 3) {
        model_fill(&now, flags, flags % 8 == 3);
    }
    memcpy(before, now.bytes, now.size);
    if (flags % 4 == 2) {
        model_set_faults(&now, input);
    }
    simulated_run(now.target, gone);
    begun = beginning(&self, gone);
    if (begun != CORE_OK) {
        refused(&self, what, begun);
    } else if (what == 3 && self.request.kind == CORE_SCATTERED) {
        write_kept(&self);
    } else {
        status = perform(&self, what, (flags & 64) != 0, &error);
    }
    simulated_run(now.target, false);
    simulated_clear_faults(now.target);
    model_read_target(&now, after);
    if (begun == CORE_OK && what < 3) {
        check_written(&self, status, &error);
    } else if (begun != CORE_OK || what != 3 || self.request.kind != CORE_SCATTERED) {
        FUZZ_CHECK(memcmp(before, after, now.size) == 0);
    }
    model_clear_faults(&now);
    memcpy(now.bytes, after, now.size);
    fuzz_request_free(&self);
}

static void *query(IDebugClient5 *client, const GUID *id)
{
    void *found = NULL;

    FUZZ_CHECK(client->lpVtbl->QueryInterface(client, id, &found) == S_OK);
    return found;
}

static size_t all_readable(const void *from, size_t size)
{
    (void)from;
    return size;
}

static size_t copy_all(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint64_t flags = fuzz_take(&input, 1);
    uint32_t width = flags & 1 ? 4 : 8;
    /* A 64-bit process may have a 32-bit effective processor. */
    bool by_processor = width == 4 && (flags & 2) != 0;
    IDebugClient5 *client;

    model_create(&now, &input, by_processor ? 8 : width);
    client = embedded_client_create(now.target);
    FUZZ_CHECK(client != NULL);
    target = (core_target){.control = query(client, &iid_debug_control),
                           .data_spaces = query(client, &iid_debug_data_spaces4),
                           .scatter = flags & 4 ? query(client, &iid_pointer_scatter) : NULL,
                           .local = (flags & 8) != 0,
                           .stopped = (flags & 16) != 0,
                           .copy_own = flags & 32 ? copy_all : NULL,
                           .own_readable = flags & 64 ? all_readable : NULL};
    if (by_processor) {
        FUZZ_CHECK(target.control->lpVtbl->SetEffectiveProcessorType(
                       target.control, IMAGE_FILE_MACHINE_I386) == S_OK);
    }
    for (int i = 0; i < MOST_REQUESTS && input.left > 0; i++) {
        one_request(&input, width);
    }
    if (target.scatter != NULL) {
        (void)target.scatter->lpVtbl->Release(target.scatter);
    }
    (void)target.data_spaces->lpVtbl->Release(target.data_spaces);
    (void)target.control->lpVtbl->Release(target.control);
    FUZZ_CHECK(client->lpVtbl->Release(client) == 0);
    return 0;
}
