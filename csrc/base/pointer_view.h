/* The caller's pointers: 64-bit values in memory, one after the other or at any stride. */
#ifndef PYDBGWRITE_BASE_POINTER_VIEW_H
#define PYDBGWRITE_BASE_POINTER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pointer_view {
    const unsigned char *first;
    ptrdiff_t stride; /* bytes from one element to the next; may be negative or 0 */
    uint64_t count;
} pointer_view;

/* True if the engine can be given this memory directly: the elements are neighbours and aligned. */
static inline bool pointer_view_is_direct(const pointer_view *view)
{
    return (view->stride == (ptrdiff_t)sizeof(uint64_t) || view->count <= 1) &&
           (uintptr_t)view->first % sizeof(uint64_t) == 0;
}

/* Returns the address of element `index`. */
static inline const unsigned char *pointer_view_at(const pointer_view *view, uint64_t index)
{
    return view->first + (ptrdiff_t)index * view->stride;
}

/* Returns elements from..from+count-1 as a separate view. */
pointer_view pointer_view_part(const pointer_view *view, uint64_t from, uint64_t count);

/* Copies elements from..from+count-1 to `to`. */
void pointer_view_gather(const pointer_view *view, uint64_t from, uint64_t count, uint64_t *to);

/* Returns the index, counted from `from`, of the first of `count` values that is neither zero- nor
 * sign-extended from 32 bits; `count` if there is none. */
uint64_t pointer_view_find_wide(const pointer_view *view, uint64_t from, uint64_t count);

/* Copies all elements to `to`, `width` bytes each: all 8, or the low 4. With `check` it stops
 * before the first wide value and sets *wide to that value. It checks the copied value itself,
 * since the caller's memory may change at any time. Returns the number of elements copied. */
uint64_t pointer_view_pack(const pointer_view *view, uint32_t width, bool check, void *to,
                           uint64_t *wide);

/* True if the value is neither zero- nor sign-extended from 32 bits: a 32-bit target can't hold it.
 */
static inline bool pointer_is_wide(uint64_t value)
{
    /* Adding 2^31 brings the sign-extended values around to 0..2^31-1. */
    return value > UINT32_MAX && value + UINT64_C(0x80000000) > UINT32_MAX;
}

#endif
