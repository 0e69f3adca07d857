/* IDebugControl: the state of the engine and its target.
 *
 * Slot order and sources as in client.h. Only the methods that the project calls or implements are
 * typed.
 */
#ifndef PYDBGWRITE_COM_CONTROL_H
#define PYDBGWRITE_COM_CONTROL_H

#include "types.h"

/* GetDebuggeeType's answers: classes, and the first of the qualifiers that dumps have; an option of
 * AddEngineOptions (dbgeng.h). */
#define DEBUG_CLASS_UNINITIALIZED     0u
#define DEBUG_CLASS_KERNEL            1u
#define DEBUG_CLASS_USER_WINDOWS      2u
#define DEBUG_USER_WINDOWS_SMALL_DUMP 1024u
#define DEBUG_ENGOPT_INITIAL_BREAK    0x20u

typedef struct IDebugControl IDebugControl;

typedef struct IDebugControlVtbl {
    COM_UNKNOWN(IDebugControl);
    com_untyped_slot GetInterrupt;
    HRESULT(STDMETHODCALLTYPE *SetInterrupt)(IDebugControl *This, ULONG Flags);
    com_untyped_slot GetInterruptTimeout;
    com_untyped_slot SetInterruptTimeout;
    com_untyped_slot GetLogFile;
    com_untyped_slot OpenLogFile;
    com_untyped_slot CloseLogFile;
    com_untyped_slot GetLogMask;
    com_untyped_slot SetLogMask;
    com_untyped_slot Input;
    com_untyped_slot ReturnInput;
    com_untyped_slot Output;
    com_untyped_slot OutputVaList;
    com_untyped_slot ControlledOutput;
    com_untyped_slot ControlledOutputVaList;
    com_untyped_slot OutputPrompt;
    com_untyped_slot OutputPromptVaList;
    com_untyped_slot GetPromptText;
    com_untyped_slot OutputCurrentState;
    com_untyped_slot OutputVersionInformation;
    com_untyped_slot GetNotifyEventHandle;
    com_untyped_slot SetNotifyEventHandle;
    com_untyped_slot Assemble;
    com_untyped_slot Disassemble;
    com_untyped_slot GetDisassembleEffectiveOffset;
    com_untyped_slot OutputDisassembly;
    com_untyped_slot OutputDisassemblyLines;
    com_untyped_slot GetNearInstruction;
    com_untyped_slot GetStackTrace;
    com_untyped_slot GetReturnOffset;
    com_untyped_slot OutputStackTrace;
    HRESULT(STDMETHODCALLTYPE *GetDebuggeeType)
    (IDebugControl *This, ULONG *Class, ULONG *Qualifier);
    HRESULT(STDMETHODCALLTYPE *GetActualProcessorType)(IDebugControl *This, ULONG *Type);
    com_untyped_slot GetExecutingProcessorType;
    com_untyped_slot GetNumberPossibleExecutingProcessorTypes;
    com_untyped_slot GetPossibleExecutingProcessorTypes;
    com_untyped_slot GetNumberProcessors;
    com_untyped_slot GetSystemVersion;
    HRESULT(STDMETHODCALLTYPE *GetPageSize)(IDebugControl *This, ULONG *Size);
    HRESULT(STDMETHODCALLTYPE *IsPointer64Bit)(IDebugControl *This);
    com_untyped_slot ReadBugCheckData;
    com_untyped_slot GetNumberSupportedProcessorTypes;
    com_untyped_slot GetSupportedProcessorTypes;
    com_untyped_slot GetProcessorTypeNames;
    HRESULT(STDMETHODCALLTYPE *GetEffectiveProcessorType)(IDebugControl *This, ULONG *Type);
    HRESULT(STDMETHODCALLTYPE *SetEffectiveProcessorType)(IDebugControl *This, ULONG Type);
    HRESULT(STDMETHODCALLTYPE *GetExecutionStatus)(IDebugControl *This, ULONG *Status);
    com_untyped_slot SetExecutionStatus;
    com_untyped_slot GetCodeLevel;
    com_untyped_slot SetCodeLevel;
    com_untyped_slot GetEngineOptions;
    HRESULT(STDMETHODCALLTYPE *AddEngineOptions)(IDebugControl *This, ULONG Options);
    com_untyped_slot RemoveEngineOptions;
    com_untyped_slot SetEngineOptions;
    com_untyped_slot GetSystemErrorControl;
    com_untyped_slot SetSystemErrorControl;
    com_untyped_slot GetTextMacro;
    com_untyped_slot SetTextMacro;
    com_untyped_slot GetRadix;
    com_untyped_slot SetRadix;
    com_untyped_slot Evaluate;
    com_untyped_slot CoerceValue;
    com_untyped_slot CoerceValues;
    HRESULT(STDMETHODCALLTYPE *Execute)
    (IDebugControl *This, ULONG OutputControl, const char *Command, ULONG Flags);
    com_untyped_slot ExecuteCommandFile;
    com_untyped_slot GetNumberBreakpoints;
    com_untyped_slot GetBreakpointByIndex;
    com_untyped_slot GetBreakpointById;
    com_untyped_slot GetBreakpointParameters;
    com_untyped_slot AddBreakpoint;
    com_untyped_slot RemoveBreakpoint;
    com_untyped_slot AddExtension;
    com_untyped_slot RemoveExtension;
    com_untyped_slot GetExtensionByPath;
    com_untyped_slot CallExtension;
    com_untyped_slot GetExtensionFunction;
    com_untyped_slot GetWindbgExtensionApis32;
    com_untyped_slot GetWindbgExtensionApis64;
    com_untyped_slot GetNumberEventFilters;
    com_untyped_slot GetEventFilterText;
    com_untyped_slot GetEventFilterCommand;
    com_untyped_slot SetEventFilterCommand;
    com_untyped_slot GetSpecificFilterParameters;
    com_untyped_slot SetSpecificFilterParameters;
    com_untyped_slot GetSpecificFilterArgument;
    com_untyped_slot SetSpecificFilterArgument;
    com_untyped_slot GetExceptionFilterParameters;
    com_untyped_slot SetExceptionFilterParameters;
    com_untyped_slot GetExceptionFilterSecondCommand;
    com_untyped_slot SetExceptionFilterSecondCommand;
    HRESULT(STDMETHODCALLTYPE *WaitForEvent)(IDebugControl *This, ULONG Flags, ULONG Timeout);
    com_untyped_slot GetLastEventInformation;
} IDebugControlVtbl;

struct IDebugControl {
    const IDebugControlVtbl *lpVtbl;
};

_Static_assert(sizeof(IDebugControlVtbl) == 95 * sizeof(void *), "IDebugControl has 95 slots");
COM_SLOT(IDebugControl, QueryInterface, 0);
COM_SLOT(IDebugControl, AddRef, 1);
COM_SLOT(IDebugControl, Release, 2);
COM_SLOT(IDebugControl, SetInterrupt, 4);
COM_SLOT(IDebugControl, GetDebuggeeType, 34);
COM_SLOT(IDebugControl, GetActualProcessorType, 35);
COM_SLOT(IDebugControl, GetPageSize, 41);
COM_SLOT(IDebugControl, IsPointer64Bit, 42);
COM_SLOT(IDebugControl, GetEffectiveProcessorType, 47);
COM_SLOT(IDebugControl, SetEffectiveProcessorType, 48);
COM_SLOT(IDebugControl, GetExecutionStatus, 49);
COM_SLOT(IDebugControl, AddEngineOptions, 54);
COM_SLOT(IDebugControl, WaitForEvent, 93);
COM_SLOT(IDebugControl, Execute, 66);

/* The beginning of IDebugControl2, which begins with IDebugControl. */
typedef struct IDebugControl2 IDebugControl2;

typedef struct IDebugControl2Vtbl {
    IDebugControlVtbl older;
    HRESULT(STDMETHODCALLTYPE *GetCurrentTimeDate)(IDebugControl2 *This, ULONG *TimeDate);
} IDebugControl2Vtbl;

struct IDebugControl2 {
    const IDebugControl2Vtbl *lpVtbl;
};

COM_SLOT(IDebugControl2, GetCurrentTimeDate, 95);

#endif
