/* The ranges of one call of process_vm_readv or process_vm_writev. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_VECTORS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "../../../com/pointer_scatter.h"

#define LINUX_MOST_VECTORS 1024 /* UIO_MAXIOV, include/uapi/linux/uio.h */

/* Valid once count, local_count and bytes are 0. */
typedef struct linux_vectors {
    struct iovec local[LINUX_MOST_VECTORS];
    struct iovec remote[LINUX_MOST_VECTORS];
    size_t local_count; /* adjacent pieces of local memory are one */
    size_t count;       /* ranges, remote ones */
    uint64_t bytes;
} linux_vectors;

/* Adds a range; there must be room for it. */
void linux_vectors_add(linux_vectors *self, const pointer_range *range);

/* Makes the call. Returns the number of bytes moved, or -1 and errno. */
ssize_t linux_vectors_move(const linux_vectors *self, pid_t process, bool writing);

#endif
