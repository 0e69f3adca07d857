/* Writing by WriteVirtual so that pointers stay whole; see whole.h.
 *
 * WriteVirtual may write less than asked and return S_OK, fail and still count bytes, or fail and
 * leave the count unchanged (docs/engine.md). Only the bytes that it counts are taken as written.
 * If it counts none, smaller calls find the first pointer that can't be written.
 *
 * A call that ends inside a pointer tears it if the rest then fails. Aligned pointers can't lie
 * across a boundary of access, which is a page's. If others may, the memory is read before it is
 * written, and the bytes of a torn pointer are put back. If it can't be read, each pointer is
 * written by WritePointersVirtual.
 */
#include "whole.h"

#include <stdlib.h>
#include <string.h>

#include "read_back.h"

/* Access can change at a page boundary, unless an engine says otherwise. */
#define USUAL_GRANULE 4096u

/* Bytes guarded at a time. */
#define PIECE_BYTES 131072u

struct core_guard {
    unsigned char old[PIECE_BYTES]; /* the target's former contents */
};

core_guard *core_guard_create(void)
{
    return malloc(sizeof(core_guard));
}

void core_guard_free(core_guard *guard)
{
    free(guard);
}

bool core_put_needs_guard(const core_target *target, uint64_t address, uint32_t width)
{
    ULONG granule = USUAL_GRANULE;

    if (target->scatter != NULL &&
        target->scatter->lpVtbl->GetGranule(target->scatter, &granule) != S_OK) {
        granule = 1;
    }
    return granule % width != 0 || address % width != 0;
}

/* Returns half of the failed size, ending with a whole pointer: at least the rest of the one at
 * `at`. */
static uint64_t smaller(uint64_t at, uint64_t wanted, uint32_t width)
{
    uint64_t rest = width - at % width;
    uint64_t half = wanted / 2;
    uint64_t beyond = (at + half) % width;

    return half > rest ? half - beyond : rest;
}

/* Writes bytes up to the first that WriteVirtual refuses, which may be inside a pointer. */
static core_outcome put_bytes(const core_target *target, uint64_t address,
                              const unsigned char *data, uint64_t size, uint32_t width)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    core_outcome outcome = {S_OK, "WriteVirtual", 0};
    uint64_t step = size;

    while (outcome.status == S_OK && outcome.done < size) {
        uint64_t left = size - outcome.done;
        ULONG wanted = (ULONG)(left < step ? left : step);
        ULONG written = 0;
        /* Microsoft's declaration takes Buffer as [in] but without const. */
        void *part = (void *)(uintptr_t)(data + outcome.done);
        HRESULT status =
            spaces->lpVtbl->WriteVirtual(spaces, address + outcome.done, part, wanted, &written);

        if (written > wanted) {
            written = 0; /* that is no count */
        }
        if (status == E_UNEXPECTED || (status > 0 && written == 0)) {
            outcome.status = status; /* the target has ended, or a dump says no in this way */
        } else if (written > 0) {
            outcome.done += written;
        } else if (wanted > width - outcome.done % width) {
            step = smaller(outcome.done, wanted, width);
        } else {
            outcome.status = status == S_OK ? E_FAIL : status;
        }
    }
    return outcome;
}

/* A kernel's WritePointersVirtual may write a part of a pointer. Puts back the former bytes, as far
 * as they are known. */
static void restore_part(const core_target *target, uint64_t address, const unsigned char *old,
                         uint64_t size, uint32_t width)
{
    unsigned char now[sizeof(uint64_t)];
    ULONG read = 0;

    if (core_read_leading(target, address, now, (ULONG)size, &read) && read == size &&
        memcmp(now, old, (size_t)size) != 0) {
        (void)put_bytes(target, address, old, size, width);
    }
}

/* Writes up to PIECE_BYTES, each pointer whole or not at all. */
static core_outcome put_guarded(const core_target *target, uint64_t address,
                                const unsigned char *data, uint64_t size, uint32_t width,
                                core_guard *guard)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    core_outcome outcome = {S_OK, "WriteVirtual", 0};
    ULONG held = 0;

    if (!core_read_leading(target, address, guard->old, (ULONG)size, &held)) {
        outcome.status = E_UNEXPECTED;
    } else if (held < size) {
        /* Pointer by pointer, so that the number of pointers written is known. */
        outcome.method = "WritePointersVirtual";
        while (outcome.status == S_OK && outcome.done < size) {
            uint64_t pointer = 0;

            memcpy(&pointer, data + outcome.done, width);
            outcome.status =
                spaces->lpVtbl->WritePointersVirtual(spaces, 1, address + outcome.done, &pointer);
            outcome.done += outcome.status == S_OK ? width : 0;
        }
        if (outcome.status != S_OK && held > outcome.done && held - outcome.done < width) {
            restore_part(target, address + outcome.done, guard->old + outcome.done,
                         held - outcome.done, width);
        }
    } else {
        uint64_t torn;

        outcome = put_bytes(target, address, data, size, width);
        torn = outcome.done % width;
        if (torn > 0) {
            uint64_t from = outcome.done - torn;

            (void)put_bytes(target, address + from, guard->old + from, torn, width);
            outcome.done = from;
        }
    }
    return outcome;
}

core_outcome core_put(const core_target *target, uint64_t address, const void *data, uint64_t size,
                      uint32_t width, core_guard *guard)
{
    core_outcome outcome = {S_OK, "WriteVirtual", 0};

    if (guard == NULL) {
        outcome = put_bytes(target, address, data, size, width);
        outcome.done -= outcome.done % width;
    }
    while (guard != NULL && outcome.status == S_OK && outcome.done < size) {
        uint64_t left = size - outcome.done;
        core_outcome part =
            put_guarded(target, address + outcome.done, (const unsigned char *)data + outcome.done,
                        left < PIECE_BYTES ? left : PIECE_BYTES, width, guard);

        outcome.status = part.status;
        outcome.method = part.method;
        outcome.done += part.done;
    }
    return outcome;
}
