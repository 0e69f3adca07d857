/* IDebugDataSpaces4: the target's memory. IDebugDataSpaces, 2 and 3 are prefixes of it.
 *
 * WritePointersVirtual, the call this project exists for, stands in slot 9 of all four versions.
 * Slot order and sources as in client.h. Only what the project calls or implements is typed.
 */
#ifndef PYDBGWRITE_COM_DATA_SPACES_H
#define PYDBGWRITE_COM_DATA_SPACES_H

#include "types.h"

typedef struct IDebugDataSpaces4 IDebugDataSpaces4;

typedef struct IDebugDataSpaces4Vtbl {
    HRESULT(STDMETHODCALLTYPE *QueryInterface)
    (IDebugDataSpaces4 *This, const GUID *InterfaceId, void **Interface);
    ULONG(STDMETHODCALLTYPE *AddRef)(IDebugDataSpaces4 *This);
    ULONG(STDMETHODCALLTYPE *Release)(IDebugDataSpaces4 *This);
    HRESULT(STDMETHODCALLTYPE *ReadVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer, ULONG BufferSize, ULONG *BytesRead);
    HRESULT(STDMETHODCALLTYPE *WriteVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer, ULONG BufferSize, ULONG *BytesWritten);
    HRESULT(STDMETHODCALLTYPE *SearchVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Offset, ULONG64 Length, void *Pattern, ULONG PatternSize,
     ULONG PatternGranularity, ULONG64 *MatchOffset);
    HRESULT(STDMETHODCALLTYPE *ReadVirtualUncached)
    (IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer, ULONG BufferSize, ULONG *BytesRead);
    HRESULT(STDMETHODCALLTYPE *WriteVirtualUncached)
    (IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer, ULONG BufferSize, ULONG *BytesWritten);
    HRESULT(STDMETHODCALLTYPE *ReadPointersVirtual)
    (IDebugDataSpaces4 *This, ULONG Count, ULONG64 Offset, ULONG64 *Ptrs);
    HRESULT(STDMETHODCALLTYPE *WritePointersVirtual)
    (IDebugDataSpaces4 *This, ULONG Count, ULONG64 Offset, ULONG64 *Ptrs);
    HRESULT(STDMETHODCALLTYPE *ReadPhysical)
    (IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer, ULONG BufferSize, ULONG *BytesRead);
    HRESULT(STDMETHODCALLTYPE *WritePhysical)
    (IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer, ULONG BufferSize, ULONG *BytesWritten);
    com_untyped_slot ReadControl;
    com_untyped_slot WriteControl;
    com_untyped_slot ReadIo;
    com_untyped_slot WriteIo;
    com_untyped_slot ReadMsr;
    com_untyped_slot WriteMsr;
    com_untyped_slot ReadBusData;
    com_untyped_slot WriteBusData;
    com_untyped_slot CheckLowMemory;
    com_untyped_slot ReadDebuggerData;
    com_untyped_slot ReadProcessorSystemData;
    com_untyped_slot VirtualToPhysical;
    com_untyped_slot GetVirtualTranslationPhysicalOffsets;
    com_untyped_slot ReadHandleData;
    HRESULT(STDMETHODCALLTYPE *FillVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Start, ULONG Size, void *Pattern, ULONG PatternSize,
     ULONG *Filled);
    com_untyped_slot FillPhysical;
    HRESULT(STDMETHODCALLTYPE *QueryVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Offset, MEMORY_BASIC_INFORMATION64 *Info);
    com_untyped_slot ReadImageNtHeaders;
    com_untyped_slot ReadTagged;
    com_untyped_slot StartEnumTagged;
    com_untyped_slot GetNextTagged;
    com_untyped_slot EndEnumTagged;
    com_untyped_slot GetOffsetInformation;
    HRESULT(STDMETHODCALLTYPE *GetNextDifferentlyValidOffsetVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Offset, ULONG64 *NextOffset);
    HRESULT(STDMETHODCALLTYPE *GetValidRegionVirtual)
    (IDebugDataSpaces4 *This, ULONG64 Base, ULONG Size, ULONG64 *ValidBase, ULONG *ValidSize);
    com_untyped_slot SearchVirtual2;
    com_untyped_slot ReadMultiByteStringVirtual;
    com_untyped_slot ReadMultiByteStringVirtualWide;
    com_untyped_slot ReadUnicodeStringVirtual;
    com_untyped_slot ReadUnicodeStringVirtualWide;
    com_untyped_slot ReadPhysical2;
    com_untyped_slot WritePhysical2;
} IDebugDataSpaces4Vtbl;

struct IDebugDataSpaces4 {
    const IDebugDataSpaces4Vtbl *lpVtbl;
};

_Static_assert(sizeof(IDebugDataSpaces4Vtbl) == 44 * sizeof(void *),
               "IDebugDataSpaces4 has 44 slots");
#define IDEBUGDATASPACES4_SLOT(method, slot)                                                       \
    _Static_assert(offsetof(IDebugDataSpaces4Vtbl, method) == (slot) * sizeof(void *),             \
                   #method " is slot " #slot)
IDEBUGDATASPACES4_SLOT(QueryInterface, 0);
IDEBUGDATASPACES4_SLOT(AddRef, 1);
IDEBUGDATASPACES4_SLOT(Release, 2);
IDEBUGDATASPACES4_SLOT(ReadVirtual, 3);
IDEBUGDATASPACES4_SLOT(WriteVirtual, 4);
IDEBUGDATASPACES4_SLOT(SearchVirtual, 5);
IDEBUGDATASPACES4_SLOT(ReadVirtualUncached, 6);
IDEBUGDATASPACES4_SLOT(WriteVirtualUncached, 7);
IDEBUGDATASPACES4_SLOT(ReadPointersVirtual, 8);
IDEBUGDATASPACES4_SLOT(WritePointersVirtual, 9);
IDEBUGDATASPACES4_SLOT(ReadPhysical, 10);
IDEBUGDATASPACES4_SLOT(WritePhysical, 11);
IDEBUGDATASPACES4_SLOT(FillVirtual, 26);
IDEBUGDATASPACES4_SLOT(QueryVirtual, 28);
IDEBUGDATASPACES4_SLOT(GetNextDifferentlyValidOffsetVirtual, 35);
IDEBUGDATASPACES4_SLOT(GetValidRegionVirtual, 36);
#undef IDEBUGDATASPACES4_SLOT

#endif
