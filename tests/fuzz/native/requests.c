/* The requests of requests.h. */
#include "requests.h"

#include <string.h>

/* Of one request at a time. */
static uint64_t clock_ns, tick_ns;
static uint64_t steps_left;

static bool step(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    FUZZ_CHECK(done <= total);
    if (steps_left > 0) {
        steps_left--;
        return steps_left > 0;
    }
    return true;
}

static uint64_t now_ns(void)
{
    clock_ns += tick_ns;
    return clock_ns;
}

static core_pace choose_pace(fuzz_input *input)
{
    static const uint64_t chunks[] = {1, 7, 64, 1024, UINT64_C(1) << 20};
    core_pace pace = {.step = step, .now_ns = now_ns};
    uint64_t how = fuzz_take(input, 1);

    pace.first_chunk = chunks[how % 5];
    pace.chunk_ns = 1000;
    pace.most = how & 64 ? chunks[how / 5 % 5] : 0;
    clock_ns = 1;
    tick_ns = how & 128 ? 5000 : 1;
    steps_left = fuzz_below(input, 4) == 0 ? fuzz_below(input, 6) + 1 : 0;
    return pace;
}

/* Copies numbers to memory of exactly that size at some stride. A stride of 0 repeats the first. */
static unsigned char *spread(uint64_t *numbers, uint64_t count, fuzz_input *input,
                             pointer_view *view)
{
    static const ptrdiff_t strides[] = {8, 8, 8, 0, -8, 16, 12, -24};
    ptrdiff_t stride = strides[fuzz_below(input, 8)];
    size_t step_size = (size_t)(stride < 0 ? -stride : stride);
    size_t shift = fuzz_below(input, 4) == 0 ? 1 : 0; /* not aligned */
    size_t size = count == 0 ? 0 : (size_t)(count - 1) * step_size + 8;
    unsigned char *memory = fuzz_memory(size + shift);

    view->first = memory + shift + (stride < 0 && count > 0 ? (count - 1) * step_size : 0);
    view->stride = stride;
    view->count = count;
    for (uint64_t i = 0; i < count; i++) {
        if (stride == 0) {
            numbers[i] = numbers[0];
        }
        memcpy(memory + (pointer_view_at(view, i) - memory), &numbers[i], 8);
    }
    return memory;
}

static uint64_t choose_value(uint64_t *seed, uint64_t kind, bool narrow)
{
    uint64_t value = fuzz_next(seed);

    if (kind == 0) {
        value &= UINT64_C(0x0101010101010101); /* often as it was */
    } else if (kind == 1) {
        value = value % 3 == 0 ? 0 : UINT64_C(0x0001000000000001);
    }
    if (narrow) {
        value =
            kind != 0 && (value & 1) != 0 ? (uint64_t)(int64_t)(int32_t)value : value & UINT32_MAX;
    }
    return value;
}

static void choose_values(fuzz_request *self, fuzz_input *input, uint64_t count)
{
    uint64_t seed = fuzz_take(input, 2), kind = fuzz_below(input, 4);
    bool narrow = self->width == 4 && fuzz_below(input, 8) != 0;

    for (uint64_t i = 0; i < count; i++) {
        self->values[i] = choose_value(&seed, kind, narrow);
    }
    if (count > 0 && narrow && fuzz_below(input, 16) == 0) {
        self->values[fuzz_below(input, count)] = UINT64_C(1) << 32;
    }
}

/* Scattered: anywhere, in a few pages, as neighbours with gaps, over each other, or in each page.
 */
static void choose_addresses(fuzz_request *self, fuzz_input *input, uint64_t base, uint64_t size,
                             uint64_t count)
{
    uint64_t seed = fuzz_take(input, 2), kind = fuzz_below(input, 6);
    uint64_t from = base + fuzz_below(input, size), unit = fuzz_flag(input) ? self->width : 1;
    uint64_t spread_over = kind == 1 ? 512 : kind == 2 ? 64 : size;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = fuzz_next(&seed);

        if (kind == 3) {
            self->addresses[i] = from;
            from += self->width + (number % 8 == 0 ? unit * (number % 5) : 0);
        } else {
            self->addresses[i] =
                (kind == 1 || kind == 2 ? from : base) + number % spread_over / unit * unit;
        }
    }
    if (count > 0 && fuzz_below(input, 8) == 0) {
        self->addresses[fuzz_below(input, count)] = UINT64_MAX - fuzz_below(input, 12);
    }
}

void fuzz_request_create(fuzz_request *self, fuzz_input *input, uint64_t base, uint64_t size,
                         uint32_t width)
{
    uint64_t what = fuzz_take(input, 1), flags = fuzz_take(input, 1);
    uint64_t count = fuzz_below(input, flags & 1 ? 24 : flags & 2 ? 300 : 2500);
    core_request *request = &self->request;

    memset(self, 0, sizeof *self);
    request->kind = what % 3 == 0 ? CORE_POINTERS : what % 3 == 1 ? CORE_SCATTERED : CORE_BYTES;
    request->bulk = (flags & 4) != 0;
    request->spans = (flags & 8) != 0;
    request->truncate = (flags & 16) != 0;
    request->each_counts = (flags & 32) != 0;
    request->fresh = (flags & 64) != 0;
    request->foreign = (flags & 128) != 0;
    self->width = request->kind == CORE_BYTES ? 1 : width;
    if (count > size / self->width && !(what & 128)) {
        count = size / self->width;
    }
    request->address = base + fuzz_below(input, size);
    if (what & 64) {
        request->address = request->address / 8 * 8;
    }
    self->values = fuzz_memory((size_t)count * 8);
    self->addresses = fuzz_memory((size_t)count * 8);
    choose_values(self, input, count);
    if (request->kind == CORE_SCATTERED) {
        choose_addresses(self, input, base, size, count);
        self->addresses_memory = spread(self->addresses, count, input, &request->addresses);
    } else {
        for (uint64_t i = 0; i < count; i++) {
            self->addresses[i] = request->address + i * self->width;
        }
    }
    if (request->kind == CORE_BYTES) {
        self->values_memory = fuzz_memory((size_t)count);
        for (uint64_t i = 0; i < count; i++) {
            self->values_memory[i] = (unsigned char)self->values[i];
        }
        request->values = (pointer_view){self->values_memory, 1, count};
    } else {
        self->values_memory = spread(self->values, count, input, &request->values);
    }
    self->to_size = (size_t)count * (request->kind == CORE_BYTES ? 1 : 8);
    self->to = fuzz_memory(self->to_size);
    memset(self->to, 0xA5, self->to_size);
    request->to = self->to;
    self->pace = choose_pace(input);
}

void fuzz_request_free(fuzz_request *self)
{
    free(self->values_memory);
    free(self->addresses_memory);
    free(self->addresses);
    free(self->values);
    free(self->to);
}

uint64_t fuzz_request_first_wide(const fuzz_request *self)
{
    uint64_t count = self->request.values.count, first = 0;

    if (self->width != 4 || self->request.truncate) {
        return count;
    }
    while (first < count && !pointer_is_wide(self->values[first])) {
        first++;
    }
    return first;
}
