/* The fuzzer's bytes as numbers, and a check that ends the program.
 *
 * Bytes behind the end are zeros, so that every input is a whole one.
 */
#ifndef PYDBGWRITE_TESTS_FUZZ_INPUT_H
#define PYDBGWRITE_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct fuzz_input {
    const uint8_t *next;
    size_t left;
} fuzz_input;

/* The function that libFuzzer calls (llvm.org/docs/LibFuzzer.html). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline uint64_t fuzz_take(fuzz_input *input, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes && input->left > 0; i++) {
        number |= (uint64_t)*input->next << (8 * i);
        input->next++;
        input->left--;
    }
    return number;
}

/* Returns a number below `limit`, which is above 0. */
static inline uint64_t fuzz_below(fuzz_input *input, uint64_t limit)
{
    return fuzz_take(input, limit <= 256 ? 1 : limit <= 65536 ? 2 : 4) % limit;
}

static inline bool fuzz_flag(fuzz_input *input)
{
    return fuzz_below(input, 2) == 1;
}

/* One of many numbers that follow from a seed (splitmix64), where an input would have to be long.
 */
static inline uint64_t fuzz_next(uint64_t *seed)
{
    uint64_t mixed;

    *seed += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (*seed ^ (*seed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

/* Ends the program, so that the fuzzer keeps the input. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline void *fuzz_memory(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);

    FUZZ_CHECK(memory != NULL);
    return memory;
}

#endif
