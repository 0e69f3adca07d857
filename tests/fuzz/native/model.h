/* A simple model of simulated memory: a window of bytes, each with its protection and faults.
 *
 * An input makes the regions and faults of a target, and the model tells what must follow.
 */
#ifndef PYDBGWRITE_TESTS_FUZZ_MODEL_H
#define PYDBGWRITE_TESTS_FUZZ_MODEL_H

#include "../../../csrc/engines/embedded/simulated/target_simulated.h"
#include "input.h"

#define MODEL_PAGE 4096u
#define MODEL_MOST (72u * MODEL_PAGE)

typedef struct model {
    embedded_target *target;
    uint64_t base;
    size_t size;
    bool counted;                    /* a fault lets some accesses pass: no exact answer is known */
    unsigned char bytes[MODEL_MOST]; /* what the target holds */
    unsigned char mapped[MODEL_MOST];
    unsigned char protection[MODEL_MOST];
    unsigned char write_fails[MODEL_MOST];
    unsigned char read_fails[MODEL_MOST];
    unsigned char lost[MODEL_MOST];
} model;

/* Makes a target and its model. The caller, or an engine, owns the target. */
void model_create(model *self, fuzz_input *input, uint32_t pointer_size);

/* Sets faults of the target, or none, for one request. */
void model_set_faults(model *self, fuzz_input *input);
void model_clear_faults(model *self);

/* Fills all writable memory with bytes of that seed; `alike`: with zeros and ones. */
void model_fill(model *self, uint64_t seed, bool alike);

/* Copies to `to` what the target holds now. It has no faults, and is not running. */
void model_read_target(const model *self, unsigned char *to);

/* Returns the number of leading bytes of a range that can be read, or written, as faults are now.
 */
uint64_t model_leading(const model *self, uint64_t address, uint64_t size, bool writing);

/* The place of an address in the arrays; false: it is outside, where nothing is mapped. */
static inline bool model_place(const model *self, uint64_t address, size_t *place)
{
    uint64_t distance = address - self->base;

    *place = (size_t)distance;
    return distance < self->size;
}

#endif
