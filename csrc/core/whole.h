/* Pointers written as plain bytes, by WriteVirtual, so that each is written whole or not at all. */
#ifndef PYDBGWRITE_CORE_WHOLE_H
#define PYDBGWRITE_CORE_WHOLE_H

#include "request.h"

/* The result of several engine calls: the last answer, and how far they came. */
typedef struct core_outcome {
    HRESULT status;     /* S_OK, or the failing call's answer */
    const char *method; /* that call's name */
    uint64_t done;      /* bytes in place */
} core_outcome;

/* Memory for core_put(): the target's former contents. It is large, so it is kept off the stack. */
typedef struct core_guard core_guard;

/* NULL if memory is short. */
core_guard *core_guard_create(void);
void core_guard_free(core_guard *guard);

/* Returns whether a pointer at `address`, or behind it in steps of `width`, can lie across a
 * boundary of access. */
bool core_put_needs_guard(const core_target *target, uint64_t address, uint32_t width);

/* Writes `size` bytes, pointers of `width` bytes in the target's form, to `address`: all of them,
 * or whole pointers up to the first that can't be written. `guard` is NULL if
 * core_put_needs_guard() says that none is needed. */
core_outcome core_put(const core_target *target, uint64_t address, const void *data, uint64_t size,
                      uint32_t width, core_guard *guard);

#endif
