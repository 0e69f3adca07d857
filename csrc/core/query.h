/* Asking an engine about a page of the target. */
#ifndef PYDBGWRITE_CORE_QUERY_H
#define PYDBGWRITE_CORE_QUERY_H

#include <stdint.h>

#include "../com/data_spaces.h"
#include "../com/hresult.h"

/* Returns an address of an engine's answer in the form of the address asked about. The x86 engine
 * sign-extends its answers from 32 bits. No user space has 64-bit addresses that high. */
static inline uint64_t core_as_asked(uint64_t asked, uint64_t answer)
{
    return asked <= UINT32_MAX && answer >= UINT64_C(0xFFFFFFFF80000000) ? (uint32_t)answer
                                                                         : answer;
}

/* Calls QueryVirtual. */
static inline HRESULT core_query(IDebugDataSpaces4 *spaces, uint64_t address,
                                 MEMORY_BASIC_INFORMATION64 *info)
{
    HRESULT status = spaces->lpVtbl->QueryVirtual(spaces, address, info);

    if (status == S_OK) {
        info->BaseAddress = core_as_asked(address, info->BaseAddress);
        info->AllocationBase = core_as_asked(address, info->AllocationBase);
    }
    return status;
}

#endif
