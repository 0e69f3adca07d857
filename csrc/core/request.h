/* One request of a session to the core: what is written, read or compared, where, and how.
 *
 * Everything in core/ works on an engine's interfaces alone: the same code drives Microsoft's
 * engine and the embedded one. No Python, no operating system.
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
    IPointerScatter *scatter; /* NULL where the engine does not have it: Microsoft's does not */
    bool local;   /* a process of this machine, through an engine in this process: no network */
    bool stopped; /* nothing of the target's own changes its memory while the session lasts */
    /* Copies the caller's memory, which may be gone; gives how many leading bytes could be read.
     * NULL: it is read plainly. */
    size_t (*copy_own)(void *to, const void *from, size_t size);
    /* Gives how many leading bytes of the caller's memory can be read. NULL: all. */
    size_t (*own_readable)(const void *from, size_t size);
} core_target;

typedef enum core_kind {
    CORE_POINTERS,  /* one after the other from `address` on */
    CORE_SCATTERED, /* each at an address of its own */
    CORE_BYTES,     /* plain bytes from `address` on */
} core_kind;

typedef struct core_request {
    core_kind kind;
    uint64_t address;
    pointer_view addresses; /* CORE_SCATTERED: as many as values */
    /* What is written or compared; bytes have a stride of 1, and a stride of 0 repeats one value.
     * A read has its count alone. */
    pointer_view values;
    void *to;      /* a read: where its elements go, 64-bit pointers or bytes */
    bool bulk;     /* CORE_POINTERS: by WriteVirtual and ReadVirtual */
    bool spans;    /* writing CORE_SCATTERED: pages may be read, patched and written back */
    bool truncate; /* a 32-bit target gets the low halves of values that do not fit */
    bool foreign;  /* values or addresses lie in memory that may be gone, as of a mapped file that
                      was truncated, and are read here, not by the kernel */
    bool checked;  /* core_check() said yes: the values are not looked through again */
    bool each_counts; /* comparing CORE_SCATTERED: each element is to hold its own value, also where
                         several cover the same bytes; else the last of them counts */
    bool fresh;       /* a read by ReadVirtual: nobody sees `to` after a failure */
} core_request;

/* Bytes of a value in the caller's memory. */
static inline size_t core_value_size(const core_request *request)
{
    return request->kind == CORE_BYTES ? 1 : sizeof(uint64_t);
}

/* The most pointers that one engine call is given: their bytes must fit a ULONG too. */
#define CORE_MOST_POINTERS (UINT64_C(1) << 28)

/* The target's pointer size now: 8 (IsPointer64Bit says S_OK), 4 (S_FALSE), or 0 and *error. It is
 * asked again for each request, since the effective processor can change in mid-session. */
uint32_t core_pointer_size(const core_target *target, core_error *error);

/* Does count * width bytes at address reach past 2^64? */
bool core_range_wraps(uint64_t address, uint64_t count, uint32_t width);

/* What every request begins with: fills *error in, asks for the pointer size, and checks the range
 * or the addresses. False: the request ends here. */
bool core_begin(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error);

/* Can the caller's memory of these elements, `size` bytes each, be read? To be asked before it is
 * read plainly. False: CORE_BUFFER_GONE, with `purpose`. */
bool core_readable(const core_target *target, const pointer_view *view, size_t size,
                   const char *purpose, core_error *error);

#endif
