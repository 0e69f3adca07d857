/* The memory map of a Linux process. Nothing here allocates. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MAPS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MAPS_H

#include <stdbool.h>
#include <stdint.h>

/* Nothing of a program lies in the upper half; the map's text lists [vsyscall] there. Offsets in
 * files, as addresses are in /proc/PID/mem, are signed. */
#define LINUX_UPPER_HALF (UINT64_C(1) << 63)

typedef struct linux_region {
    uint64_t start;
    uint64_t end; /* the first address behind it */
    bool readable, writable, executable;
    bool shared;
    bool file_backed;
    uint64_t page_size; /* above the usual one for huge pages; 0: the kernel does not tell */
} linux_region;

/* The mapping that holds address, or else the next one above it. `maps` is a descriptor of
 * /proc/PID/maps. ENOENT: there is none; ESRCH: the memory has gone. */
int linux_maps_find(int maps, uint64_t address, linux_region *region);

#endif
