/* Sparse memory: bytes of a 64-bit address space, of which only written blocks use memory.
 *
 * Memory consists of blocks. A block is allocated at its first write and found by a hash of its
 * number, so a region may be as large as an address space. Bytes that were never written read as
 * zero.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_SIMULATED_SPARSE_MEMORY_H
#define PYDBGWRITE_ENGINES_EMBEDDED_SIMULATED_SPARSE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A move never crosses a boundary of this many bytes; the caller splits it there. */
#define SPARSE_BLOCK_BYTES UINT64_C(65536)

typedef struct sparse_block {
    uint64_t number;      /* address / SPARSE_BLOCK_BYTES */
    unsigned char *bytes; /* NULL: the place is empty */
} sparse_block;

/* All zero is an empty memory. */
typedef struct sparse_memory {
    sparse_block *places;
    size_t capacity; /* a power of two, or 0 */
    size_t used;
    sparse_block last; /* the block of the last move: patches stay in one place */
    uint64_t *sorted;  /* the numbers of the first `sorted_count` written blocks, for a search */
    size_t sorted_count;
} sparse_memory;

void sparse_memory_read(sparse_memory *self, uint64_t address, void *data, size_t size);

/* False if memory is short; then nothing has changed. */
bool sparse_memory_write(sparse_memory *self, uint64_t address, const void *data, size_t size);

/* Finds the first run of written blocks at or behind the one of `address`: the first address of the
 * run, and its last. False: there is none. */
bool sparse_memory_find(sparse_memory *self, uint64_t address, uint64_t *first, uint64_t *last);

void sparse_memory_free(sparse_memory *self);

#endif
