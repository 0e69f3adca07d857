/* After a failure: what does the target hold now? Asked by ReadVirtual, in blocks. */
#ifndef PYDBGWRITE_CORE_READ_BACK_H
#define PYDBGWRITE_CORE_READ_BACK_H

#include "pointers.h"

/* How many leading elements of `view` the target holds at `address`. Counting stops at the first
 * that differs or can't be read. False: the target no longer answers, so nobody knows. */
bool core_count_pointers(const core_target *target, uint64_t address, const pointer_view *view,
                         uint32_t width, uint64_t *landed);

/* The same for bytes. */
bool core_count_bytes(const core_target *target, uint64_t address, const unsigned char *data,
                      uint64_t size, uint64_t *landed);

/* The same for a pattern of `pattern_size` bytes, above 0, that is repeated over `size` bytes. */
bool core_count_filled(const core_target *target, uint64_t address, const unsigned char *pattern,
                       uint64_t pattern_size, uint64_t size, uint64_t *landed);

/* Reads up to `size` bytes, as many leading ones as can be read, into `to`. An engine may answer a
 * block that is only partly readable with a short count, or fail it as a whole (Wine's
 * ReadProcessMemory): then smaller blocks find the edge. False: the target no longer answers. */
bool core_read_leading(const core_target *target, uint64_t address, unsigned char *to, ULONG size,
                       ULONG *read);

/* How many leading bytes of a range can be read. */
bool core_count_readable(const core_target *target, uint64_t address, uint64_t size,
                         uint64_t *readable);

/* Reads `count` pointers of `width` bytes to `to`, zero-extended, up to the first that can't be
 * read: for what a failing call may have left out of its caller's buffer. */
void core_fetch_pointers(const core_target *target, uint64_t address, uint64_t count,
                         uint32_t width, uint64_t *to);

/* A value that did not fit has not landed, whatever the target looks like: what it held before may
 * equal that value's lower half. */
void core_limit_landed(core_error *error);

#endif
