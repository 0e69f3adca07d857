/* Pointers as plain bytes, through WriteVirtual and ReadVirtual.
 *
 * A genuine engine loops pointer by pointer inside WritePointersVirtual, and moves all the bytes of
 * a WriteVirtual at once. What the target holds afterwards is the same, after a failure too: every
 * pointer before the first that could not be written, and not a byte of that one.
 */
#ifndef PYDBGWRITE_CORE_BULK_H
#define PYDBGWRITE_CORE_BULK_H

#include "pointers.h"

/* From so many pointers on, "auto" takes WriteVirtual on an engine that loops pointer by pointer.
 * Measured on the genuine one: two pointers take half the time in bulk, and one as long either way
 * (docs/performance.md). The embedded engine is as fast either way. */
#define BULK_THRESHOLD_POINTERS 2

/* As core_write_pointers() and core_read_pointers(), by WriteVirtual and ReadVirtual. `fresh`: what
 * `to` holds behind a failure matters to nobody; else it is left as it was from the first pointer
 * on that could not be read, whatever the engine does with the buffer that it is given. */
core_status core_write_bulk(const core_target *target, uint64_t address, const pointer_view *view,
                            bool truncate, const core_pace *pace, core_error *error);
core_status core_read_bulk(const core_target *target, uint64_t address, uint64_t count,
                           uint64_t *to, bool fresh, const core_pace *pace, core_error *error);

/* The pace of a request by WriteVirtual or ReadVirtual. Where an engine loops pointer by pointer in
 * its direct calls, chunks begin small; these calls do not loop, and what counts is how many. */
core_pace core_bulk_pace(const core_target *target, const core_pace *pace);

/* What an engine call of several answered, and how far they came. */
typedef struct bulk_outcome {
    HRESULT status;     /* S_OK, or what the failing call answered */
    const char *method; /* the call it was */
    uint64_t done;      /* bytes in place */
} bulk_outcome;

/* Memory for core_put(); large, so it is kept off the stack. */
typedef struct bulk_buffer bulk_buffer;

/* Writes `size` bytes, pointers of `width` bytes in the target's form, to `address`: all of them,
 * or whole pointers up to the first that can't be written. `buffer` is for targets and addresses
 * where a pointer may lie across a boundary of access; NULL where core_put_needs_buffer() says
 * that it is not needed. */
bulk_outcome core_put(const core_target *target, uint64_t address, const void *data, uint64_t size,
                      uint32_t width, bulk_buffer *buffer);
bool core_put_needs_buffer(const core_target *target, uint64_t address, uint32_t width);

/* NULL when memory is short. */
bulk_buffer *core_bulk_buffer_create(void);
void core_bulk_buffer_free(bulk_buffer *buffer);

#endif
