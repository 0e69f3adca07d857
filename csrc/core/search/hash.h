/* The hash by which the tables of a search are addressed. */
#ifndef PYDBGWRITE_CORE_SEARCH_HASH_H
#define PYDBGWRITE_CORE_SEARCH_HASH_H

#include <stdint.h>

/* Returns a hash whose upper bits are to be used: 2^64 divided by the golden ratio, times the value
 * (Fibonacci hashing; Knuth, TAOCP 6.4). */
static inline uint64_t search_hash(uint64_t value)
{
    return value * UINT64_C(0x9E3779B97F4A7C15);
}

#endif
