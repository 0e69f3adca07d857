/* Pointers written as plain bytes, by WriteVirtual, so that each is written whole or not at all. */
#ifndef PYDBGWRITE_CORE_WHOLE_H
#define PYDBGWRITE_CORE_WHOLE_H

#include "request.h"

/* What an engine call of several answered, and how far they came. */
typedef struct core_outcome {
    HRESULT status;     /* S_OK, or what the failing call answered */
    const char *method; /* the call it was */
    uint64_t done;      /* bytes in place */
} core_outcome;

/* Memory for core_put(): what the target held before. It is large, and so kept off the stack. */
typedef struct core_guard core_guard;

/* NULL when memory is short. */
core_guard *core_guard_create(void);
void core_guard_free(core_guard *guard);

/* Can a pointer at `address`, or behind it in steps of `width`, lie across a boundary of access? */
bool core_put_needs_guard(const core_target *target, uint64_t address, uint32_t width);

/* Writes `size` bytes, pointers of `width` bytes in the target's form, to `address`: all of them,
 * or whole pointers up to the first that can't be written. `guard` is NULL where
 * core_put_needs_guard() says that none is needed. */
core_outcome core_put(const core_target *target, uint64_t address, const void *data, uint64_t size,
                      uint32_t width, core_guard *guard);

#endif
