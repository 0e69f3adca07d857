/* A 64-bit checksum by eight lanes, which a processor computes side by side; see checksum.h. */
#include "checksum.h"

#include <string.h>

#define LANES  8u
#define STRIPE (LANES * sizeof(uint64_t))

/* Odd numbers without a pattern: the first binary digits behind the point of the roots of 2, 3 and
 * 5, the last digit made odd. */
#define BY_ROOT_2 UINT64_C(0x6a09e667f3bcc909)
#define BY_ROOT_3 UINT64_C(0xbb67ae8584caa73b)
#define BY_ROOT_5 UINT64_C(0x3c6ef372fe94f82b)

/* Each of the three steps can be reversed, so a lane keeps every difference between two words. The
 * multiplication spreads a difference upwards, and before it the shift spreads it downwards: a
 * changed bit that stayed alone could be undone by one change in the lane's next word. */
static inline uint64_t mixed(uint64_t state, uint64_t word)
{
    uint64_t both = state ^ word;

    return (both ^ both >> 29) * BY_ROOT_2;
}

static void add_stripe(uint64_t lanes[LANES], const unsigned char *stripe)
{
    uint64_t words[LANES];

    memcpy(words, stripe, STRIPE);
    for (unsigned i = 0; i < LANES; i++) {
        lanes[i] = mixed(lanes[i], words[i]);
    }
}

uint64_t checksum64(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t lanes[LANES];
    uint64_t sum = seed ^ size * BY_ROOT_3;
    size_t left = size;

    for (unsigned i = 0; i < LANES; i++) {
        lanes[i] = (seed + i) * BY_ROOT_5;
    }
    for (; left >= STRIPE; left -= STRIPE) {
        add_stripe(lanes, bytes);
        bytes += STRIPE;
    }
    if (left > 0) { /* the size in the sum tells these zeros from bytes */
        unsigned char rest[STRIPE] = {0};

        memcpy(rest, bytes, left);
        add_stripe(lanes, rest);
    }
    for (unsigned i = 0; i < LANES; i++) {
        sum = mixed(sum, lanes[i]);
    }
    return sum ^ sum >> 32;
}
