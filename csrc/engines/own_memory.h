/* This process's own memory, checked before use because it may not be valid. */
#ifndef PYDBGWRITE_ENGINES_OWN_MEMORY_H
#define PYDBGWRITE_ENGINES_OWN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of pages of one kind, from start up to end. */
typedef struct own_region {
    uintptr_t start;
    uintptr_t end; /* the first address behind it */
    bool readable;
    bool executable;
} own_region;

typedef enum own_memory_answer {
    OWN_MEMORY_FOUND,
    OWN_MEMORY_NOTHING, /* nothing is mapped there */
    OWN_MEMORY_UNKNOWN, /* the system does not say */
} own_memory_answer;

/* Finds the region that holds `address`. If *region is that region already (all zeros at first),
 * the system is not asked again. */
own_memory_answer own_memory_at(uintptr_t address, own_region *region);

/* Copies memory that may be gone: on Linux a mapping whose file was truncated raises SIGBUS when it
 * is read (mmap(2)). Returns the number of leading bytes that could be read. */
size_t own_memory_copy(void *to, const void *from, size_t size);

/* Returns the number of leading bytes that can be read. To be called before such memory is read
 * plainly. */
size_t own_memory_readable(const void *from, size_t size);

#endif
