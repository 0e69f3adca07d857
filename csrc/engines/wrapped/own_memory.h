/* What this process's own memory is, for pointers that somebody else made: asked before use. */
#ifndef PYDBGWRITE_ENGINES_WRAPPED_OWN_MEMORY_H
#define PYDBGWRITE_ENGINES_WRAPPED_OWN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* A run of like pages, from start up to end. */
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

/* The region that holds `address`. Where *region is that already (all zeros at first), the system
 * is not asked again. */
own_memory_answer own_memory_at(uintptr_t address, own_region *region);

#endif
