/* Reading the target by ReadVirtual, as far as it can be read, to find its contents. */
#ifndef PYDBGWRITE_CORE_READ_BACK_H
#define PYDBGWRITE_CORE_READ_BACK_H

#include "request.h"

/* Reads up to `size` bytes, as many leading ones as can be read, into `to`. For a block that is
 * only partly readable, an engine may return a short count, or fail the whole block (Wine's
 * ReadProcessMemory): smaller blocks then find the edge. False: the target no longer answers. */
bool core_read_leading(const core_target *target, uint64_t address, unsigned char *to, ULONG size,
                       ULONG *read);

/* Reads `size` bytes to `to`. Returns the number of bytes read. Fewer than `size` is CORE_ENGINE,
 * with error->known false if the target no longer answers. */
uint64_t core_get_bytes(const core_target *target, uint64_t address, unsigned char *to,
                        uint64_t size, core_error *error);

/* Counts the leading elements of `values` that the target holds at `address`. Counting stops at the
 * first that differs or can't be read. False: the target no longer answers; the count is unknown.
 */
bool core_count_pointers(const core_target *target, uint64_t address, const pointer_view *values,
                         uint32_t width, uint64_t *landed);

/* The same for bytes. */
bool core_count_bytes(const core_target *target, uint64_t address, const unsigned char *data,
                      uint64_t size, uint64_t *landed);

/* The same for a pattern of `pattern_size` bytes, above 0, that is repeated over `size` bytes. */
bool core_count_filled(const core_target *target, uint64_t address, const unsigned char *pattern,
                       uint64_t pattern_size, uint64_t size, uint64_t *landed);

/* Counts the leading bytes of a range that can be read. */
bool core_count_readable(const core_target *target, uint64_t address, uint64_t size,
                         uint64_t *readable);

/* Reads `count` pointers of `width` bytes to `to`, zero-extended, up to the first that can't be
 * read. It fills in pointers that a failing call may have left out of its caller's buffer. */
void core_fetch_pointers(const core_target *target, uint64_t address, uint64_t count,
                         uint32_t width, uint64_t *to);

#endif
