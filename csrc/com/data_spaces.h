/* IDebugDataSpaces4: the target's memory. IDebugDataSpaces, 2 and 3 are prefixes of it.
 *
 * WritePointersVirtual, the call this project exists for, is slot 9 of all four versions. Slot
 * order and sources as in client.h. Only the methods that the project calls or implements are
 * typed.
 */
#ifndef PYDBGWRITE_COM_DATA_SPACES_H
#define PYDBGWRITE_COM_DATA_SPACES_H

#include "types.h"

typedef struct IDebugDataSpaces4 IDebugDataSpaces4;

typedef struct IDebugDataSpaces4Vtbl {
    COM_UNKNOWN(IDebugDataSpaces4);
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
COM_SLOT(IDebugDataSpaces4, QueryInterface, 0);
COM_SLOT(IDebugDataSpaces4, AddRef, 1);
COM_SLOT(IDebugDataSpaces4, Release, 2);
COM_SLOT(IDebugDataSpaces4, ReadVirtual, 3);
COM_SLOT(IDebugDataSpaces4, WriteVirtual, 4);
COM_SLOT(IDebugDataSpaces4, SearchVirtual, 5);
COM_SLOT(IDebugDataSpaces4, ReadVirtualUncached, 6);
COM_SLOT(IDebugDataSpaces4, WriteVirtualUncached, 7);
COM_SLOT(IDebugDataSpaces4, ReadPointersVirtual, 8);
COM_SLOT(IDebugDataSpaces4, WritePointersVirtual, 9);
COM_SLOT(IDebugDataSpaces4, ReadPhysical, 10);
COM_SLOT(IDebugDataSpaces4, WritePhysical, 11);
COM_SLOT(IDebugDataSpaces4, FillVirtual, 26);
COM_SLOT(IDebugDataSpaces4, QueryVirtual, 28);
COM_SLOT(IDebugDataSpaces4, GetNextDifferentlyValidOffsetVirtual, 35);
COM_SLOT(IDebugDataSpaces4, GetValidRegionVirtual, 36);

#endif
