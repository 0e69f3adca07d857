/* Large ranges of the memory of a stopped Linux process, worked on by several processors. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PARALLEL_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PARALLEL_H

#include "held.h"

/* Work on so many bytes of the target is shared among processors. */
#define LINUX_PARALLEL_LEAST ((size_t)2 << 20)

typedef enum linux_parallel_work {
    LINUX_PARALLEL_READ,
    LINUX_PARALLEL_WRITE,
    LINUX_PARALLEL_COMPARE,       /* data: what the target may hold */
    LINUX_PARALLEL_NARROW,        /* data: 64-bit pointers, whose lower halves are written */
    LINUX_PARALLEL_NARROW_CHECKED /* the same, up to one that does not fit 32 bits */
} linux_parallel_work;

/* Works on `size` bytes of the target (narrow: from a multiple of 4 on, in whole pointers), where
 * that can't be told from what goes in order and stops at the first failure. Gives how many leading
 * bytes were moved or are equal, perhaps none: the caller does the rest, or finds out what it is
 * about. */
size_t linux_parallel_run(linux_target *process, linux_parallel_work work, uint64_t address,
                          void *data, size_t size);

#endif
