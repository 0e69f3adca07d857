/* The memory map of a Linux process. Nothing here allocates. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MAPS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A program's memory ends here at the latest, with five-level page tables of x86-64. The bits above
 * are tags, which some system calls drop and others do not (tagged-address-abi on aarch64): here a
 * tagged address is not a valid address. The map's text lists [vsyscall] above this end, which is
 * not memory either. */
#define LINUX_LAST_END (UINT64_C(1) << 56)

typedef struct linux_region {
    uint64_t start;
    uint64_t end; /* the first address after it */
    bool readable, writable, executable;
    bool shared;
    bool file_backed;
    uint64_t offset;    /* of the mapping in its file */
    uint64_t device;    /* of the file, as makedev(3) numbers it */
    uint64_t page_size; /* above the usual one for huge pages; 0: unknown */
} linux_region;

/* Finds the mapping that contains the address, or else the next one above it. `maps` is a
 * descriptor of /proc/PID/maps. ENOENT: there is none; ESRCH: the memory no longer exists. */
int linux_maps_find(int maps, uint64_t address, linux_region *region);

/* The same, and as many of the mappings behind it as there is room for, if reading one of them
 * costs as much as reading all: on kernels without the query for one (before Linux 6.11). */
int linux_maps_find_several(int maps, uint64_t address, linux_region *regions, size_t room,
                            size_t *count);

#endif
