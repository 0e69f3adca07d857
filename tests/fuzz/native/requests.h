/* Requests to the core that an input makes, and the memory of their callers. */
#ifndef PYDBGWRITE_TESTS_FUZZ_REQUESTS_H
#define PYDBGWRITE_TESTS_FUZZ_REQUESTS_H

#include "../../../csrc/core/dispatch.h"
#include "input.h"

/* A request whose arrays have exactly the size that it says, so that AddressSanitizer finds the
 * first byte too many. */
typedef struct fuzz_request {
    core_request request;
    uint32_t width; /* of an element in the target */
    unsigned char *values_memory, *addresses_memory;
    uint64_t *addresses; /* of the elements, in the caller's order */
    uint64_t *values;    /* likewise */
    unsigned char *to;
    size_t to_size;
    core_pace pace;
} fuzz_request;

/* Makes a request at or near `size` bytes from `base` on, for a target with pointers of that width.
 */
void fuzz_request_create(fuzz_request *self, fuzz_input *input, uint64_t base, uint64_t size,
                         uint32_t width);
void fuzz_request_free(fuzz_request *self);

/* Returns the index of the first value that a target with such pointers can't hold; the count if
 * there is none. */
uint64_t fuzz_request_first_wide(const fuzz_request *self);

#endif
