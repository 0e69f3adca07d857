/* IDebugAdvanced2: what the target's system knows of its threads.
 *
 * Slot order and sources as in client.h. Only the method that the project calls is typed.
 */
#ifndef PYDBGWRITE_COM_ADVANCED_H
#define PYDBGWRITE_COM_ADVANCED_H

#include "types.h"

/* A question of GetSystemObjectInformation, and a part of its answer (dbgeng.h). */
#define DEBUG_SYSOBJINFO_THREAD_BASIC_INFORMATION 0u
#define DEBUG_TBINFO_TIMES                        8u

/* Times are in units of 100 nanoseconds since 1601, as a FILETIME's. */
typedef struct DEBUG_THREAD_BASIC_INFORMATION {
    ULONG Valid;
    ULONG ExitStatus;
    ULONG PriorityClass;
    ULONG Priority;
    ULONG64 CreateTime;
    ULONG64 ExitTime;
    ULONG64 KernelTime;
    ULONG64 UserTime;
    ULONG64 StartOffset;
    ULONG64 Affinity;
} DEBUG_THREAD_BASIC_INFORMATION;

typedef struct IDebugAdvanced2 IDebugAdvanced2;

typedef struct IDebugAdvanced2Vtbl {
    COM_UNKNOWN(IDebugAdvanced2);
    com_untyped_slot GetThreadContext;
    com_untyped_slot SetThreadContext;
    com_untyped_slot Request;
    com_untyped_slot GetSourceFileInformation;
    com_untyped_slot FindSourceFileAndToken;
    com_untyped_slot GetSymbolInformation;
    HRESULT(STDMETHODCALLTYPE *GetSystemObjectInformation)
    (IDebugAdvanced2 *This, ULONG Which, ULONG64 Arg64, ULONG Arg32, void *Buffer, ULONG BufferSize,
     ULONG *InfoSize);
} IDebugAdvanced2Vtbl;

struct IDebugAdvanced2 {
    const IDebugAdvanced2Vtbl *lpVtbl;
};

_Static_assert(sizeof(DEBUG_THREAD_BASIC_INFORMATION) == 64, "it has 64 bytes");
_Static_assert(sizeof(IDebugAdvanced2Vtbl) == 10 * sizeof(void *), "IDebugAdvanced2 has 10 slots");
COM_SLOT(IDebugAdvanced2, QueryInterface, 0);
COM_SLOT(IDebugAdvanced2, AddRef, 1);
COM_SLOT(IDebugAdvanced2, Release, 2);
COM_SLOT(IDebugAdvanced2, GetSystemObjectInformation, 9);

#endif
