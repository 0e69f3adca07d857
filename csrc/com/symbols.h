/* IDebugSymbols3: the modules and symbols of the target. IDebugSymbols and 2 are prefixes of it.
 *
 * Slot order and sources as in client.h. Only the methods that the project calls are typed.
 */
#ifndef PYDBGWRITE_COM_SYMBOLS_H
#define PYDBGWRITE_COM_SYMBOLS_H

#include "types.h"

/* dbgeng.h, documented in ns-dbgeng-_debug_module_parameters. */
typedef struct DEBUG_MODULE_PARAMETERS {
    ULONG64 Base;
    ULONG Size;
    ULONG TimeDateStamp;
    ULONG Checksum;
    ULONG Flags;
    ULONG SymbolType;
    ULONG ImageNameSize;
    ULONG ModuleNameSize;
    ULONG LoadedImageNameSize;
    ULONG SymbolFileNameSize;
    ULONG MappedImageNameSize;
    ULONG64 Reserved[2];
} DEBUG_MODULE_PARAMETERS;

_Static_assert(sizeof(DEBUG_MODULE_PARAMETERS) == 64, "DEBUG_MODULE_PARAMETERS is 64 bytes");

typedef struct IDebugSymbols3 IDebugSymbols3;

typedef struct IDebugSymbols3Vtbl {
    COM_UNKNOWN(IDebugSymbols3);
    HRESULT(STDMETHODCALLTYPE *GetSymbolOptions)(IDebugSymbols3 *This, ULONG *Options);
    com_untyped_slot AddSymbolOptions;
    HRESULT(STDMETHODCALLTYPE *RemoveSymbolOptions)(IDebugSymbols3 *This, ULONG Options);
    com_untyped_slot SetSymbolOptions;
    com_untyped_slot GetNameByOffset;
    com_untyped_slot GetOffsetByName;
    com_untyped_slot GetNearNameByOffset;
    com_untyped_slot GetLineByOffset;
    com_untyped_slot GetOffsetByLine;
    HRESULT(STDMETHODCALLTYPE *GetNumberModules)
    (IDebugSymbols3 *This, ULONG *Loaded, ULONG *Unloaded);
    HRESULT(STDMETHODCALLTYPE *GetModuleByIndex)
    (IDebugSymbols3 *This, ULONG Index, ULONG64 *Base);
    com_untyped_slot GetModuleByModuleName;
    com_untyped_slot GetModuleByOffset;
    com_untyped_slot GetModuleNames;
    HRESULT(STDMETHODCALLTYPE *GetModuleParameters)
    (IDebugSymbols3 *This, ULONG Count, ULONG64 *Bases, ULONG Start,
     DEBUG_MODULE_PARAMETERS *Params);
    com_untyped_slot GetSymbolModule;
    com_untyped_slot GetTypeName;
    com_untyped_slot GetTypeId;
    com_untyped_slot GetTypeSize;
    com_untyped_slot GetFieldOffset;
    com_untyped_slot GetSymbolTypeId;
    com_untyped_slot GetOffsetTypeId;
    com_untyped_slot ReadTypedDataVirtual;
    com_untyped_slot WriteTypedDataVirtual;
    com_untyped_slot OutputTypedDataVirtual;
    com_untyped_slot ReadTypedDataPhysical;
    com_untyped_slot WriteTypedDataPhysical;
    com_untyped_slot OutputTypedDataPhysical;
    com_untyped_slot GetScope;
    com_untyped_slot SetScope;
    com_untyped_slot ResetScope;
    com_untyped_slot GetScopeSymbolGroup;
    com_untyped_slot CreateSymbolGroup;
    com_untyped_slot StartSymbolMatch;
    com_untyped_slot GetNextSymbolMatch;
    HRESULT(STDMETHODCALLTYPE *EndSymbolMatch)(IDebugSymbols3 *This, ULONG64 Handle);
    com_untyped_slot Reload;
    com_untyped_slot GetSymbolPath;
    com_untyped_slot SetSymbolPath;
    com_untyped_slot AppendSymbolPath;
    com_untyped_slot GetImagePath;
    com_untyped_slot SetImagePath;
    com_untyped_slot AppendImagePath;
    com_untyped_slot GetSourcePath;
    com_untyped_slot GetSourcePathElement;
    com_untyped_slot SetSourcePath;
    com_untyped_slot AppendSourcePath;
    com_untyped_slot FindSourceFile;
    com_untyped_slot GetSourceFileLineOffsets;
    com_untyped_slot GetModuleVersionInformation;
    com_untyped_slot GetModuleNameString;
    com_untyped_slot GetConstantName;
    com_untyped_slot GetFieldName;
    com_untyped_slot GetTypeOptions;
    com_untyped_slot AddTypeOptions;
    com_untyped_slot RemoveTypeOptions;
    com_untyped_slot SetTypeOptions;
    HRESULT(STDMETHODCALLTYPE *GetNameByOffsetWide)
    (IDebugSymbols3 *This, ULONG64 Offset, wchar_t *NameBuffer, ULONG NameBufferSize,
     ULONG *NameSize, ULONG64 *Displacement);
    HRESULT(STDMETHODCALLTYPE *GetOffsetByNameWide)
    (IDebugSymbols3 *This, const wchar_t *Symbol, ULONG64 *Offset);
    com_untyped_slot GetNearNameByOffsetWide;
    com_untyped_slot GetLineByOffsetWide;
    com_untyped_slot GetOffsetByLineWide;
    com_untyped_slot GetModuleByModuleNameWide;
    com_untyped_slot GetSymbolModuleWide;
    com_untyped_slot GetTypeNameWide;
    com_untyped_slot GetTypeIdWide;
    com_untyped_slot GetFieldOffsetWide;
    com_untyped_slot GetSymbolTypeIdWide;
    com_untyped_slot GetScopeSymbolGroup2;
    com_untyped_slot CreateSymbolGroup2;
    HRESULT(STDMETHODCALLTYPE *StartSymbolMatchWide)
    (IDebugSymbols3 *This, const wchar_t *Pattern, ULONG64 *Handle);
    HRESULT(STDMETHODCALLTYPE *GetNextSymbolMatchWide)
    (IDebugSymbols3 *This, ULONG64 Handle, wchar_t *Buffer, ULONG BufferSize, ULONG *MatchSize,
     ULONG64 *Offset);
    HRESULT(STDMETHODCALLTYPE *ReloadWide)(IDebugSymbols3 *This, const wchar_t *Module);
    com_untyped_slot GetSymbolPathWide;
    com_untyped_slot SetSymbolPathWide;
    com_untyped_slot AppendSymbolPathWide;
    com_untyped_slot GetImagePathWide;
    com_untyped_slot SetImagePathWide;
    com_untyped_slot AppendImagePathWide;
    com_untyped_slot GetSourcePathWide;
    com_untyped_slot GetSourcePathElementWide;
    com_untyped_slot SetSourcePathWide;
    com_untyped_slot AppendSourcePathWide;
    com_untyped_slot FindSourceFileWide;
    com_untyped_slot GetSourceFileLineOffsetsWide;
    com_untyped_slot GetModuleVersionInformationWide;
    HRESULT(STDMETHODCALLTYPE *GetModuleNameStringWide)
    (IDebugSymbols3 *This, ULONG Which, ULONG Index, ULONG64 Base, wchar_t *Buffer,
     ULONG BufferSize, ULONG *NameSize);
    com_untyped_slot GetConstantNameWide;
    com_untyped_slot GetFieldNameWide;
    com_untyped_slot IsManagedModule;
    com_untyped_slot GetModuleByModuleName2;
    com_untyped_slot GetModuleByModuleName2Wide;
    com_untyped_slot GetModuleByOffset2;
    com_untyped_slot AddSyntheticModule;
    com_untyped_slot AddSyntheticModuleWide;
    com_untyped_slot RemoveSyntheticModule;
    com_untyped_slot GetCurrentScopeFrameIndex;
    com_untyped_slot SetScopeFrameByIndex;
    com_untyped_slot SetScopeFromJitDebugInfo;
    com_untyped_slot SetScopeFromStoredEvent;
    com_untyped_slot OutputSymbolByOffset;
    com_untyped_slot GetFunctionEntryByOffset;
    com_untyped_slot GetFieldTypeAndOffset;
    com_untyped_slot GetFieldTypeAndOffsetWide;
    com_untyped_slot AddSyntheticSymbol;
    com_untyped_slot AddSyntheticSymbolWide;
    com_untyped_slot RemoveSyntheticSymbol;
    com_untyped_slot GetSymbolEntriesByOffset;
    com_untyped_slot GetSymbolEntriesByName;
    com_untyped_slot GetSymbolEntriesByNameWide;
    com_untyped_slot GetSymbolEntryByToken;
    com_untyped_slot GetSymbolEntryInformation;
    com_untyped_slot GetSymbolEntryString;
    com_untyped_slot GetSymbolEntryStringWide;
    com_untyped_slot GetSymbolEntryOffsetRegions;
    com_untyped_slot GetSymbolEntryBySymbolEntry;
    com_untyped_slot GetSourceEntriesByOffset;
    com_untyped_slot GetSourceEntriesByLine;
    com_untyped_slot GetSourceEntriesByLineWide;
    com_untyped_slot GetSourceEntryString;
    com_untyped_slot GetSourceEntryStringWide;
    com_untyped_slot GetSourceEntryOffsetRegions;
    com_untyped_slot GetSourceEntryBySourceEntry;
} IDebugSymbols3Vtbl;

struct IDebugSymbols3 {
    const IDebugSymbols3Vtbl *lpVtbl;
};

_Static_assert(sizeof(IDebugSymbols3Vtbl) == 126 * sizeof(void *), "IDebugSymbols3 has 126 slots");
COM_SLOT(IDebugSymbols3, QueryInterface, 0);
COM_SLOT(IDebugSymbols3, AddRef, 1);
COM_SLOT(IDebugSymbols3, Release, 2);
COM_SLOT(IDebugSymbols3, GetSymbolOptions, 3);
COM_SLOT(IDebugSymbols3, RemoveSymbolOptions, 5);
COM_SLOT(IDebugSymbols3, GetNumberModules, 12);
COM_SLOT(IDebugSymbols3, GetModuleByIndex, 13);
COM_SLOT(IDebugSymbols3, GetModuleParameters, 17);
COM_SLOT(IDebugSymbols3, EndSymbolMatch, 38);
COM_SLOT(IDebugSymbols3, GetNameByOffsetWide, 60);
COM_SLOT(IDebugSymbols3, GetOffsetByNameWide, 61);
COM_SLOT(IDebugSymbols3, StartSymbolMatchWide, 73);
COM_SLOT(IDebugSymbols3, GetNextSymbolMatchWide, 74);
COM_SLOT(IDebugSymbols3, ReloadWide, 75);
COM_SLOT(IDebugSymbols3, GetModuleNameStringWide, 89);

#endif
