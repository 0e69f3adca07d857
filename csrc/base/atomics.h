/* Atomic 32-bit integers and pointers for data that threads share, the same on every compiler.
 *
 * MSVC and clang-cl use the Interlocked functions, other compilers C11's stdatomic. A load acquires
 * and a store releases; the read-modify-write operations do both.
 */
#ifndef PYDBGWRITE_BASE_ATOMICS_H
#define PYDBGWRITE_BASE_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(_MSC_VER)

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

typedef struct atomic_i32 {
    volatile LONG value;
} atomic_i32;

static inline int32_t atomic_i32_load(const atomic_i32 *cell)
{
    return (int32_t)ReadAcquire(&cell->value);
}

static inline void atomic_i32_store(atomic_i32 *cell, int32_t value)
{
    WriteRelease(&cell->value, (LONG)value);
}

/* Returns the value after the addition. */
static inline int32_t atomic_i32_add(atomic_i32 *cell, int32_t amount)
{
    return (int32_t)InterlockedExchangeAdd(&cell->value, (LONG)amount) + amount;
}

/* True if the cell held `expected` and now holds `desired`. */
static inline bool atomic_i32_compare_exchange(atomic_i32 *cell, int32_t expected, int32_t desired)
{
    return InterlockedCompareExchange(&cell->value, (LONG)desired, (LONG)expected) ==
           (LONG)expected;
}

typedef struct atomic_pointer {
    void *volatile value;
} atomic_pointer;

static inline void *atomic_pointer_load(const atomic_pointer *cell)
{
    return ReadPointerAcquire((PVOID const volatile *)&cell->value);
}

/* Returns what the cell held. */
static inline void *atomic_pointer_exchange(atomic_pointer *cell, void *desired)
{
    return InterlockedExchangePointer(&cell->value, desired);
}

/* True if the cell held `expected` and now holds `desired`. */
static inline bool atomic_pointer_compare_exchange(atomic_pointer *cell, void *expected,
                                                   void *desired)
{
    return InterlockedCompareExchangePointer(&cell->value, desired, expected) == expected;
}

#else

#include <stdatomic.h>

typedef struct atomic_i32 {
    _Atomic int32_t value;
} atomic_i32;

static inline int32_t atomic_i32_load(const atomic_i32 *cell)
{
    return atomic_load_explicit(&cell->value, memory_order_acquire);
}

static inline void atomic_i32_store(atomic_i32 *cell, int32_t value)
{
    atomic_store_explicit(&cell->value, value, memory_order_release);
}

/* Returns the value after the addition. */
static inline int32_t atomic_i32_add(atomic_i32 *cell, int32_t amount)
{
    return atomic_fetch_add_explicit(&cell->value, amount, memory_order_acq_rel) + amount;
}

/* True if the cell held `expected` and now holds `desired`. */
static inline bool atomic_i32_compare_exchange(atomic_i32 *cell, int32_t expected, int32_t desired)
{
    return atomic_compare_exchange_strong_explicit(&cell->value, &expected, desired,
                                                   memory_order_acq_rel, memory_order_acquire);
}

typedef struct atomic_pointer {
    void *_Atomic value;
} atomic_pointer;

static inline void *atomic_pointer_load(const atomic_pointer *cell)
{
    return atomic_load_explicit(&cell->value, memory_order_acquire);
}

/* Returns what the cell held. */
static inline void *atomic_pointer_exchange(atomic_pointer *cell, void *desired)
{
    return atomic_exchange_explicit(&cell->value, desired, memory_order_acq_rel);
}

/* True if the cell held `expected` and now holds `desired`. */
static inline bool atomic_pointer_compare_exchange(atomic_pointer *cell, void *expected,
                                                   void *desired)
{
    return atomic_compare_exchange_strong_explicit(&cell->value, &expected, desired,
                                                   memory_order_acq_rel, memory_order_acquire);
}

#endif

#endif
