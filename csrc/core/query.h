/* Asking an engine about a page of the target. */
#ifndef PYDBGWRITE_CORE_QUERY_H
#define PYDBGWRITE_CORE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "../com/hresult.h"
#include "request.h"

/* Returns an address of an engine's answer in the form of the address asked about: of a 32-bit
 * target, an engine that folds addresses sign-extends its answers from 32 bits. */
static inline uint64_t core_as_asked(const core_target *target, uint64_t asked, uint64_t answer)
{
    bool extended = target->folds && asked <= UINT32_MAX && answer >= UINT64_C(0xFFFFFFFF80000000);

    /* Such an address can be meant in a 64-bit dump. */
    return extended && target->control->lpVtbl->IsPointer64Bit(target->control) == S_FALSE
               ? (uint32_t)answer
               : answer;
}

/* Calls QueryVirtual. */
static inline HRESULT core_query(const core_target *target, uint64_t address,
                                 MEMORY_BASIC_INFORMATION64 *info)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    HRESULT status = spaces->lpVtbl->QueryVirtual(spaces, address, info);

    if (status == S_OK) {
        info->BaseAddress = core_as_asked(target, address, info->BaseAddress);
        info->AllocationBase = core_as_asked(target, address, info->AllocationBase);
    }
    return status;
}

#endif
