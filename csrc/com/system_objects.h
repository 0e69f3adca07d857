/* IDebugSystemObjects: the engine's current process and thread.
 *
 * Slot order and sources as in client.h. Only the methods that the project calls are typed.
 */
#ifndef PYDBGWRITE_COM_SYSTEM_OBJECTS_H
#define PYDBGWRITE_COM_SYSTEM_OBJECTS_H

#include "types.h"

typedef struct IDebugSystemObjects IDebugSystemObjects;

typedef struct IDebugSystemObjectsVtbl {
    COM_UNKNOWN(IDebugSystemObjects);
    com_untyped_slot GetEventThread;
    com_untyped_slot GetEventProcess;
    com_untyped_slot GetCurrentThreadId;
    com_untyped_slot SetCurrentThreadId;
    com_untyped_slot GetCurrentProcessId;
    com_untyped_slot SetCurrentProcessId;
    com_untyped_slot GetNumberThreads;
    com_untyped_slot GetTotalNumberThreads;
    com_untyped_slot GetThreadIdsByIndex;
    com_untyped_slot GetThreadIdByProcessor;
    com_untyped_slot GetCurrentThreadDataOffset;
    com_untyped_slot GetThreadIdByDataOffset;
    HRESULT(STDMETHODCALLTYPE *GetCurrentThreadTeb)
    (IDebugSystemObjects *This, ULONG64 *Offset);
    com_untyped_slot GetThreadIdByTeb;
    com_untyped_slot GetCurrentThreadSystemId;
    com_untyped_slot GetThreadIdBySystemId;
    com_untyped_slot GetCurrentThreadHandle;
    com_untyped_slot GetThreadIdByHandle;
    com_untyped_slot GetNumberProcesses;
    com_untyped_slot GetProcessIdsByIndex;
    com_untyped_slot GetCurrentProcessDataOffset;
    com_untyped_slot GetProcessIdByDataOffset;
    com_untyped_slot GetCurrentProcessPeb;
    com_untyped_slot GetProcessIdByPeb;
    HRESULT(STDMETHODCALLTYPE *GetCurrentProcessSystemId)
    (IDebugSystemObjects *This, ULONG *SysId);
    com_untyped_slot GetProcessIdBySystemId;
    HRESULT(STDMETHODCALLTYPE *GetCurrentProcessHandle)
    (IDebugSystemObjects *This, ULONG64 *Handle);
    com_untyped_slot GetProcessIdByHandle;
    com_untyped_slot GetCurrentProcessExecutableName;
} IDebugSystemObjectsVtbl;

struct IDebugSystemObjects {
    const IDebugSystemObjectsVtbl *lpVtbl;
};

_Static_assert(sizeof(IDebugSystemObjectsVtbl) == 32 * sizeof(void *),
               "IDebugSystemObjects has 32 slots");
COM_SLOT(IDebugSystemObjects, QueryInterface, 0);
COM_SLOT(IDebugSystemObjects, AddRef, 1);
COM_SLOT(IDebugSystemObjects, Release, 2);
COM_SLOT(IDebugSystemObjects, GetCurrentThreadTeb, 15);
COM_SLOT(IDebugSystemObjects, GetCurrentProcessSystemId, 27);
COM_SLOT(IDebugSystemObjects, GetCurrentProcessHandle, 29);

/* The beginning of IDebugSystemObjects2, which begins with IDebugSystemObjects. */
typedef struct IDebugSystemObjects2 IDebugSystemObjects2;

typedef struct IDebugSystemObjects2Vtbl {
    IDebugSystemObjectsVtbl older;
    HRESULT(STDMETHODCALLTYPE *GetCurrentProcessUpTime)
    (IDebugSystemObjects2 *This, ULONG *UpTime);
} IDebugSystemObjects2Vtbl;

struct IDebugSystemObjects2 {
    const IDebugSystemObjects2Vtbl *lpVtbl;
};

COM_SLOT(IDebugSystemObjects2, GetCurrentProcessUpTime, 32);

#endif
