/* Reads, writes and describes the memory of a live Linux process. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MEMORY_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_MEMORY_H

#include "../target.h"

/* One system call moves at most MAX_RW_COUNT, 2 GiB less a page (include/linux/fs.h). */
#define LINUX_LARGEST_MOVE ((size_t)1 << 30)

/* The members of embedded_target_operations; see target.h. */
HRESULT linux_memory_read(embedded_target *self, uint64_t address, void *data, size_t size,
                          size_t *moved);
HRESULT linux_memory_write(embedded_target *self, uint64_t address, const void *data, size_t size,
                           size_t *moved);
size_t linux_memory_write_narrow(embedded_target *self, uint64_t address, const void *pointers,
                                 size_t count, bool check);
size_t linux_memory_count_equal(embedded_target *self, uint64_t address, const void *data,
                                size_t size);
HRESULT linux_memory_query(embedded_target *self, uint64_t address,
                           MEMORY_BASIC_INFORMATION64 *info);

/* True if the map shows readable memory at the address. A query can't show that: its protections
 * are those of Windows, which has none for write-only memory. */
bool linux_memory_shows_readable(const embedded_target *self, uint64_t address);

/* Whether the kernel refused a forced write in the last access (proc_mem.force_override), and to
 * which writer: a debugger of the process, or a script that does not trace it. A debugger may be
 * permitted more than such a script. */
typedef enum linux_force_refused {
    LINUX_FORCE_NOT_REFUSED,
    LINUX_FORCE_REFUSED_UNTRACED,
    LINUX_FORCE_REFUSED_TRACER
} linux_force_refused;

linux_force_refused linux_memory_force_refused(const embedded_target *self);

#endif
