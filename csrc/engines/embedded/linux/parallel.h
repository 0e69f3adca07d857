/* Work by several processors on large ranges of the memory of a stopped Linux process. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PARALLEL_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PARALLEL_H

#include "held.h"

/* Work on at least this many bytes of the target is shared among processors. */
#define LINUX_PARALLEL_LEAST ((size_t)2 << 20)

typedef enum linux_parallel_work {
    LINUX_PARALLEL_READ,
    LINUX_PARALLEL_WRITE,
    LINUX_PARALLEL_COMPARE,       /* data: the bytes to compare with the target's */
    LINUX_PARALLEL_NARROW,        /* data: 64-bit pointers, whose lower halves are written */
    LINUX_PARALLEL_NARROW_CHECKED /* the same, up to a pointer that does not fit 32 bits */
} linux_parallel_work;

/* Works on `size` bytes of the target (narrow: from a multiple of 4 on, in whole pointers), if the
 * result can't be distinguished from work in order that stops at the first failure. Returns how
 * many leading bytes were moved or are equal, perhaps none. The caller does the rest, or finds out
 * the reason. */
size_t linux_parallel_run(linux_target *process, linux_parallel_work work, uint64_t address,
                          void *data, size_t size);

#endif
