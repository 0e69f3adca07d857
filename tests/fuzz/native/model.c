/* The model of model.h. */
#include "model.h"

#include <string.h>

#define MOST_REGIONS 8u
#define MOST_FAULTS  4u

/* Where memory lies: low, at the end of 32-bit addresses, and at both ends of all addresses. */
static uint64_t choose_base(fuzz_input *input, size_t size)
{
    static const uint64_t others[] = {0x10000, 0x7fff0000, 0, 0x7ff712340000};
    uint64_t which = fuzz_below(input, 6);

    if (which == 4) {
        return UINT64_MAX - size + 1;
    }
    return which == 5 ? (UINT64_C(1) << 32) - size / 2 : others[which];
}

void model_create(model *self, fuzz_input *input, uint32_t pointer_size)
{
    simulated_region regions[MOST_REGIONS];
    size_t count = 0, at = 0;
    size_t pages = (size_t)fuzz_below(input, 32) + 1;

    /* More pages than are written at once, or a few. */
    self->size = (pages == 17 ? MODEL_MOST / MODEL_PAGE : pages % 8 + 1) * MODEL_PAGE;
    self->base = choose_base(input, self->size);
    self->counted = false;
    memset(self->bytes, 0, self->size);
    memset(self->mapped, 0, self->size);
    memset(self->protection, SIMULATED_NONE, self->size);
    while (count < MOST_REGIONS && at < self->size) {
        uint64_t kind = fuzz_take(input, 1);
        size_t room = self->size - at;
        size_t size = (size_t)fuzz_below(input, 4) * MODEL_PAGE + (size_t)fuzz_below(input, 17);

        /* The last one takes all that is left. */
        if (size == 0 || size > room || count + 1 == MOST_REGIONS) {
            size = room;
        }
        if (kind % 8 != 0) { /* otherwise a gap */
            simulated_protection allowed = kind % 8 == 1   ? SIMULATED_NONE
                                           : kind % 8 == 2 ? SIMULATED_READ
                                                           : SIMULATED_READ_WRITE;

            regions[count] = (simulated_region){self->base + at, size, allowed};
            memset(self->mapped + at, 1, size);
            memset(self->protection + at, (int)allowed, size);
            count++;
        }
        at += size;
    }
    self->target = simulated_create(regions, count, pointer_size);
    FUZZ_CHECK(self->target != NULL);
    model_clear_faults(self);
}

void model_clear_faults(model *self)
{
    simulated_clear_faults(self->target);
    self->counted = false;
    memset(self->write_fails, 0, self->size);
    memset(self->read_fails, 0, self->size);
    memset(self->lost, 0, self->size);
}

void model_set_faults(model *self, fuzz_input *input)
{
    uint64_t count = fuzz_below(input, 3 * MOST_FAULTS);

    if (fuzz_below(input, 4) == 0) {
        simulated_limit_transfers(self->target, fuzz_below(input, 6000) + 1);
    }
    for (uint64_t i = 0; i < count && count <= MOST_FAULTS; i++) {
        size_t place = (size_t)fuzz_below(input, self->size);
        uint64_t kind = fuzz_below(input, 8);
        uint64_t passes = kind < 6 ? 0 : fuzz_below(input, 5);
        bool writes = kind % 3 != 1, reads = kind % 3 != 2;

        if (kind == 7) {
            FUZZ_CHECK(simulated_lose_at(self->target, self->base + place));
            self->lost[place] = 1;
            continue;
        }
        FUZZ_CHECK(simulated_fail_at(self->target, self->base + place, passes, writes, reads));
        self->counted = self->counted || passes > 0;
        self->write_fails[place] |= writes ? 1 : 0;
        self->read_fails[place] |= reads ? 1 : 0;
    }
}

void model_fill(model *self, uint64_t seed, bool alike)
{
    size_t at = 0, moved = 0;

    for (size_t i = 0; i < self->size; i++) {
        if (self->protection[i] == SIMULATED_READ_WRITE) {
            uint64_t number = fuzz_next(&seed);

            self->bytes[i] = (unsigned char)(alike ? number & 1 : number);
        }
    }
    while (at < self->size) {
        size_t past = at;

        while (past < self->size && self->protection[past] == SIMULATED_READ_WRITE) {
            past++;
        }
        if (past > at) {
            FUZZ_CHECK(embedded_write(self->target, self->base + at, self->bytes + at, past - at,
                                      &moved) == S_OK);
        }
        at = past > at ? past : at + 1;
    }
}

void model_read_target(const model *self, unsigned char *to)
{
    size_t at = 0, moved = 0;

    memset(to, 0, self->size);
    while (at < self->size) {
        size_t past = at;

        while (past < self->size && self->protection[past] >= SIMULATED_READ) {
            past++;
        }
        if (past > at) {
            FUZZ_CHECK(embedded_read(self->target, self->base + at, to + at, past - at, &moved) ==
                       S_OK);
        }
        at = past > at ? past : at + 1;
    }
}

uint64_t model_leading(const model *self, uint64_t address, uint64_t size, bool writing)
{
    const unsigned char *fails = writing ? self->write_fails : self->read_fails;
    unsigned char needed = writing ? SIMULATED_READ_WRITE : SIMULATED_READ;
    uint64_t good = 0;
    size_t place;

    while (good < size && model_place(self, address + good, &place) &&
           self->protection[place] >= needed && fails[place] == 0) {
        good++;
    }
    return good;
}
