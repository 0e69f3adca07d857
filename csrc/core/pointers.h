/* Writing and reading pointer arrays through an engine's own pointer calls.
 *
 * Everything here works on interfaces alone: the same code drives Microsoft's engine and the
 * embedded one. No Python, no operating system.
 */
#ifndef PYDBGWRITE_CORE_POINTERS_H
#define PYDBGWRITE_CORE_POINTERS_H

#include "../com/control.h"
#include "../com/data_spaces.h"
#include "../com/pointer_scatter.h"
#include "error.h"
#include "pace.h"
#include "../base/pointer_view.h"

/* The interfaces of one session. */
typedef struct core_target {
    IDebugControl *control;
    IDebugDataSpaces4 *data_spaces;
    IPointerScatter *scatter; /* NULL where the engine does not have it: Microsoft's does not */
    bool local;   /* a process of this machine, through an engine in this process: no network */
    bool stopped; /* nothing of the target's own changes its memory while the session lasts */
} core_target;

/* The most elements that one engine call is given: their bytes must fit a ULONG too. */
#define CORE_MOST_POINTERS (UINT64_C(1) << 28)

/* The target's pointer size now: 8 (IsPointer64Bit says S_OK), 4 (S_FALSE), or 0 and *error. It is
 * asked again for each request, since the effective processor can change in mid-session. */
uint32_t core_pointer_size(const core_target *target, core_error *error);

/* What every request on pointers begins with: *error filled in, and the pointer size asked for.
 * False: the request ends here. */
bool core_begin_pointers(const core_target *target, uint64_t address, uint64_t count,
                         core_error *error);

/* One full pass over the values for a 32-bit target: the first that does not fit is an error, and
 * nothing was written. False: so it is, or the pace's step said stop. */
bool core_check_values(const pointer_view *view, const core_pace *pace, core_error *error);

/* Does count * width bytes at address reach past 2^64? */
bool core_range_wraps(uint64_t address, uint64_t count, uint32_t width);

/* Leading elements from..from+count-1 that the engine itself narrows and writes, where it can and
 * that is faster; perhaps none. The rest is the caller's, and so is finding out why. */
uint64_t core_write_by_engine(const core_target *target, uint64_t address, const pointer_view *view,
                              uint64_t from, uint64_t count, uint32_t width, bool check);
bool core_engine_narrows(const core_target *target, const pointer_view *view, uint64_t count,
                         uint32_t width);

/* Writes all of `view` to `address` by WritePointersVirtual, the caller's memory itself where the
 * view is direct and the target has 64-bit pointers. Values that do not fit a 32-bit target are an
 * error before the engine is entered, unless `truncate`. CORE_OK only when every engine call said
 * S_OK; after any other answer error->landed is found by reading back. */
core_status core_write_pointers(const core_target *target, uint64_t address,
                                const pointer_view *view, bool truncate, const core_pace *pace,
                                core_error *error);

/* Reads `count` pointers to `to` by ReadPointersVirtual, zero-extended on a 32-bit target. After a
 * failure error->landed says how many leading ones can be read, and they are in `to`. */
core_status core_read_pointers(const core_target *target, uint64_t address, uint64_t count,
                               uint64_t *to, const core_pace *pace, core_error *error);

#endif
