/* One request of a session to the core: the data to write, read or compare, its place, and the way.
 *
 * Everything in core/ works on an engine's interfaces alone: the same code drives Microsoft's
 * engine and the embedded one. It uses no Python and no operating system.
 */
#ifndef PYDBGWRITE_CORE_REQUEST_H
#define PYDBGWRITE_CORE_REQUEST_H

#include "../base/pointer_view.h"
#include "../com/control.h"
#include "../com/data_spaces.h"
#include "../com/pointer_scatter.h"
#include "error.h"
#include "pace.h"

/* The target of one session: the interfaces of its engine. */
typedef struct core_target {
    IDebugControl *control;
    IDebugDataSpaces4 *data_spaces;
    IPointerScatter *scatter; /* NULL if the engine does not have it; Microsoft's does not */
    bool local;   /* a process of this machine, through an engine in this process: no network */
    bool stopped; /* the target's own code does not change its memory during the session */
    /* In a 32-bit target the engine ignores the upper halves of addresses, and extends its own. */
    bool folds;
    /* To learn whether a span is allowed, the engine first looks at each process of the machine. */
    bool spans_cost;
    /* Copies the caller's memory, which may be gone; returns the number of leading bytes that could
     * be read. NULL: the memory is read plainly. */
    size_t (*copy_own)(void *to, const void *from, size_t size);
    /* Returns the number of leading bytes of the caller's memory that can be read. NULL: all. */
    size_t (*own_readable)(const void *from, size_t size);
} core_target;

typedef enum core_kind {
    CORE_POINTERS,  /* one after the other from `address` on */
    CORE_SCATTERED, /* each at a separate address */
    CORE_BYTES,     /* plain bytes from `address` on */
} core_kind;

typedef struct core_request {
    core_kind kind;
    uint64_t address;
    pointer_view addresses; /* CORE_SCATTERED: as many as values */
    /* The elements to write or compare. Bytes have a stride of 1; a stride of 0 repeats one value.
     * A read uses the count alone. */
    pointer_view values;
    void *to;      /* of a read: receives its elements, 64-bit pointers or bytes */
    bool bulk;     /* CORE_POINTERS: by WriteVirtual and ReadVirtual */
    bool spans;    /* writing CORE_SCATTERED: pages may be read, patched and written back */
    bool truncate; /* a 32-bit target gets the low halves of values that do not fit */
    bool foreign;  /* values or addresses lie in memory that may be gone, such as a mapped file that
                      was truncated, and the library reads them, not the kernel */
    bool checked;  /* core_check() has succeeded: the values are not checked again */
    bool each_counts; /* comparing CORE_SCATTERED: each element must hold its own value, even if
                         several cover the same bytes; otherwise the last of them counts */
    bool fresh;       /* a read by ReadVirtual: nothing uses `to` after a failure */
} core_request;

/* What a write of scattered pointers keeps, in the order in which it writes them. Elements that
 * cover the same bytes stay in the caller's order. */
typedef struct core_kept {
    uint64_t *where;      /* their addresses */
    unsigned char *old;   /* the target's former contents */
    unsigned char *fresh; /* what is written */
    unsigned char *known; /* a byte for each element, 0 at first; 1: it is kept */
} core_kept;

/* Bytes of a value in the caller's memory. */
static inline size_t core_value_size(const core_request *request)
{
    return request->kind == CORE_BYTES ? 1 : sizeof(uint64_t);
}

/* The most pointers that one engine call is given: their bytes must fit a ULONG too. */
#define CORE_MOST_POINTERS (UINT64_C(1) << 28)

/* Returns the target's pointer size now: 8 (IsPointer64Bit returns S_OK), 4 (S_FALSE), or 0 and
 * *error. Each request asks again, since the effective processor can change during a session. */
uint32_t core_pointer_size(const core_target *target, core_error *error);

/* Returns whether count * width bytes at address reach past 2^64. */
bool core_range_wraps(uint64_t address, uint64_t count, uint32_t width);

/* Begins a request: fills *error in, asks for the pointer size, and checks the range or the
 * addresses. False: the request ends here. */
bool core_begin(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error);

/* Returns whether the caller's memory of these elements, `size` bytes each, can be read. To be
 * called before that memory is read plainly. False: CORE_BUFFER_GONE, with `purpose`. */
bool core_readable(const core_target *target, const pointer_view *view, size_t size,
                   const char *purpose, core_error *error);

#endif
