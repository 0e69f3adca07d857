/* A 64-bit checksum that finds damage, at the speed of memory.
 *
 * Bytes that differ only within one word of 64 bits always have different checksums. Other damage
 * is missed once in 2^64 times. It is no authentication: whoever wants to can make other bytes with
 * the same checksum. The words are little-endian, as on every machine that this package supports.
 */
#ifndef PYDBGWRITE_BASE_CHECKSUM_H
#define PYDBGWRITE_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Returns the checksum of these bytes, which continues `seed`, the checksum of those before. */
uint64_t checksum64(uint64_t seed, const void *data, size_t size);

#endif
