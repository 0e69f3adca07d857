/* Pointers in a target's memory: ReadPointersVirtual and WritePointersVirtual. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_POINTERS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_POINTERS_H

#include "target.h"

/* Returns how many of `size` bytes from `address` on lie below 2^64. */
static inline uint64_t bytes_before_wrap(uint64_t address, uint64_t size)
{
    uint64_t behind = UINT64_MAX - address; /* bytes after the one at address */

    return size == 0 || size - 1 <= behind ? size : behind + 1;
}

/* Both move `count` pointers of `width` bytes of an accessible target. `count` is above 0. */
HRESULT embedded_read_pointers(embedded_target *embedded, uint32_t width, uint64_t address,
                               uint64_t *pointers, uint64_t count);
HRESULT embedded_write_pointers(embedded_target *embedded, uint32_t width, uint64_t address,
                                const uint64_t *pointers, uint64_t count);

#endif
