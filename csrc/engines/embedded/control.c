/* The embedded engine's IDebugControl: the kind of the target and its state. */
#include "control.h"

#include "../../com/hresult.h"
#include "engine.h"
#include "not_implemented.h"

/* dbgeng.h: a qualifier of DEBUG_CLASS_USER_WINDOWS (DEBUG_USER_WINDOWS_PROCESS), DEBUG_STATUS_*.
 */
#define DEBUG_USER_PROCESS       0u
#define DEBUG_STATUS_BREAK       6u
#define DEBUG_STATUS_NO_DEBUGGEE 7u

EMBEDDED_INTERFACE(IDebugControl, control);

static HRESULT accessible(IDebugControl *This)
{
    return embedded_accessible(embedded_of(This));
}

/* No method here waits for an interrupt, so an interrupt has no effect and is allowed at any time.
 */
static HRESULT STDMETHODCALLTYPE set_interrupt(IDebugControl *This, ULONG Flags)
{
    (void)This;
    return Flags <= 2 ? S_OK : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE get_debuggee_type(IDebugControl *This, ULONG *Class,
                                                   ULONG *Qualifier)
{
    if (Class == NULL || Qualifier == NULL) {
        return E_POINTER;
    }
    *Class = accessible(This) == S_OK ? DEBUG_CLASS_USER_WINDOWS : DEBUG_CLASS_UNINITIALIZED;
    *Qualifier = DEBUG_USER_PROCESS;
    return S_OK;
}

static ULONG machine_of_width(uint32_t pointer_size)
{
    return pointer_size == 4 ? IMAGE_FILE_MACHINE_I386 : IMAGE_FILE_MACHINE_AMD64;
}

static HRESULT give_machine(IDebugControl *This, uint32_t pointer_size, ULONG *Type)
{
    HRESULT status = Type == NULL ? E_POINTER : accessible(This);

    if (status == S_OK) {
        *Type = machine_of_width(pointer_size);
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE get_actual_processor_type(IDebugControl *This, ULONG *Type)
{
    return give_machine(This, embedded_of(This)->pointer_size, Type);
}

static HRESULT STDMETHODCALLTYPE get_page_size(IDebugControl *This, ULONG *Size)
{
    HRESULT status = Size == NULL ? E_POINTER : accessible(This);

    if (status == S_OK) {
        *Size = embedded_of(This)->page_size;
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE is_pointer64_bit(IDebugControl *This)
{
    HRESULT status = accessible(This);

    if (status == S_OK && engine_of(This)->effective_pointer_size == 4) {
        status = S_FALSE;
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE get_effective_processor_type(IDebugControl *This, ULONG *Type)
{
    return give_machine(This, engine_of(This)->effective_pointer_size, Type);
}

/* A 64-bit target can be treated as a 32-bit one, and as a 64-bit one again. A 32-bit target stays
 * 32-bit. */
static HRESULT STDMETHODCALLTYPE set_effective_processor_type(IDebugControl *This, ULONG Type)
{
    HRESULT status = accessible(This);
    embedded_engine *self = engine_of(This);

    if (status != S_OK) {
        return status;
    }
    if (Type == IMAGE_FILE_MACHINE_I386) {
        self->effective_pointer_size = 4;
    } else if (Type == IMAGE_FILE_MACHINE_AMD64 && self->embedded->pointer_size == 8) {
        self->effective_pointer_size = 8;
    } else {
        return E_INVALIDARG;
    }
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE get_execution_status(IDebugControl *This, ULONG *Status)
{
    if (Status == NULL) {
        return E_POINTER;
    }
    *Status = accessible(This) == S_OK ? DEBUG_STATUS_BREAK : DEBUG_STATUS_NO_DEBUGGEE;
    return S_OK;
}

/* A target of this engine is open from the start and has no events. "E_UNEXPECTED: nothing can
 * generate events" (idebugcontrol-waitforevent). */
static HRESULT STDMETHODCALLTYPE wait_for_event(IDebugControl *This, ULONG Flags, ULONG Timeout)
{
    (void)This;
    (void)Flags;
    (void)Timeout;
    return E_UNEXPECTED;
}

const IDebugControlVtbl embedded_control_vtbl = {
    .QueryInterface = query_interface,
    .AddRef = add_ref,
    .Release = release,
    .GetInterrupt = NOT_IMPLEMENTED(1),
    .SetInterrupt = set_interrupt,
    .GetInterruptTimeout = NOT_IMPLEMENTED(2),
    .SetInterruptTimeout = NOT_IMPLEMENTED(2),
    .GetLogFile = NOT_IMPLEMENTED(5),
    .OpenLogFile = NOT_IMPLEMENTED(3),
    .CloseLogFile = NOT_IMPLEMENTED(1),
    .GetLogMask = NOT_IMPLEMENTED(2),
    .SetLogMask = NOT_IMPLEMENTED(2),
    .Input = NOT_IMPLEMENTED(4),
    .ReturnInput = NOT_IMPLEMENTED(2),
    .Output = NOT_IMPLEMENTED_VARIADIC,
    .OutputVaList = NOT_IMPLEMENTED(4),
    .ControlledOutput = NOT_IMPLEMENTED_VARIADIC,
    .ControlledOutputVaList = NOT_IMPLEMENTED(5),
    .OutputPrompt = NOT_IMPLEMENTED_VARIADIC,
    .OutputPromptVaList = NOT_IMPLEMENTED(4),
    .GetPromptText = NOT_IMPLEMENTED(4),
    .OutputCurrentState = NOT_IMPLEMENTED(3),
    .OutputVersionInformation = NOT_IMPLEMENTED(2),
    .GetNotifyEventHandle = NOT_IMPLEMENTED(2),
    .SetNotifyEventHandle = NOT_IMPLEMENTED(3),
    .Assemble = NOT_IMPLEMENTED(5),
    .Disassemble = NOT_IMPLEMENTED(8),
    .GetDisassembleEffectiveOffset = NOT_IMPLEMENTED(2),
    .OutputDisassembly = NOT_IMPLEMENTED(6),
    .OutputDisassemblyLines = NOT_IMPLEMENTED(11),
    .GetNearInstruction = NOT_IMPLEMENTED(5),
    .GetStackTrace = NOT_IMPLEMENTED(10),
    .GetReturnOffset = NOT_IMPLEMENTED(2),
    .OutputStackTrace = NOT_IMPLEMENTED(5),
    .GetDebuggeeType = get_debuggee_type,
    .GetActualProcessorType = get_actual_processor_type,
    .GetExecutingProcessorType = NOT_IMPLEMENTED(2),
    .GetNumberPossibleExecutingProcessorTypes = NOT_IMPLEMENTED(2),
    .GetPossibleExecutingProcessorTypes = NOT_IMPLEMENTED(4),
    .GetNumberProcessors = NOT_IMPLEMENTED(2),
    .GetSystemVersion = NOT_IMPLEMENTED(11),
    .GetPageSize = get_page_size,
    .IsPointer64Bit = is_pointer64_bit,
    .ReadBugCheckData = NOT_IMPLEMENTED(6),
    .GetNumberSupportedProcessorTypes = NOT_IMPLEMENTED(2),
    .GetSupportedProcessorTypes = NOT_IMPLEMENTED(4),
    .GetProcessorTypeNames = NOT_IMPLEMENTED(8),
    .GetEffectiveProcessorType = get_effective_processor_type,
    .SetEffectiveProcessorType = set_effective_processor_type,
    .GetExecutionStatus = get_execution_status,
    .SetExecutionStatus = NOT_IMPLEMENTED(2),
    .GetCodeLevel = NOT_IMPLEMENTED(2),
    .SetCodeLevel = NOT_IMPLEMENTED(2),
    .GetEngineOptions = NOT_IMPLEMENTED(2),
    .AddEngineOptions = NOT_IMPLEMENTED_AS(2, IDebugControl *, ULONG),
    .RemoveEngineOptions = NOT_IMPLEMENTED(2),
    .SetEngineOptions = NOT_IMPLEMENTED(2),
    .GetSystemErrorControl = NOT_IMPLEMENTED(3),
    .SetSystemErrorControl = NOT_IMPLEMENTED(3),
    .GetTextMacro = NOT_IMPLEMENTED(5),
    .SetTextMacro = NOT_IMPLEMENTED(3),
    .GetRadix = NOT_IMPLEMENTED(2),
    .SetRadix = NOT_IMPLEMENTED(2),
    .Evaluate = NOT_IMPLEMENTED(5),
    .CoerceValue = NOT_IMPLEMENTED(4),
    .CoerceValues = NOT_IMPLEMENTED(5),
    .Execute = NOT_IMPLEMENTED_AS(4, IDebugControl *, ULONG, const char *, ULONG),
    .ExecuteCommandFile = NOT_IMPLEMENTED(4),
    .GetNumberBreakpoints = NOT_IMPLEMENTED(2),
    .GetBreakpointByIndex = NOT_IMPLEMENTED(3),
    .GetBreakpointById = NOT_IMPLEMENTED(3),
    .GetBreakpointParameters = NOT_IMPLEMENTED(5),
    .AddBreakpoint = NOT_IMPLEMENTED(4),
    .RemoveBreakpoint = NOT_IMPLEMENTED(2),
    .AddExtension = NOT_IMPLEMENTED(4),
    .RemoveExtension = NOT_IMPLEMENTED(3),
    .GetExtensionByPath = NOT_IMPLEMENTED(3),
    .CallExtension = NOT_IMPLEMENTED(5),
    .GetExtensionFunction = NOT_IMPLEMENTED(5),
    .GetWindbgExtensionApis32 = NOT_IMPLEMENTED(2),
    .GetWindbgExtensionApis64 = NOT_IMPLEMENTED(2),
    .GetNumberEventFilters = NOT_IMPLEMENTED(4),
    .GetEventFilterText = NOT_IMPLEMENTED(5),
    .GetEventFilterCommand = NOT_IMPLEMENTED(5),
    .SetEventFilterCommand = NOT_IMPLEMENTED(3),
    .GetSpecificFilterParameters = NOT_IMPLEMENTED(4),
    .SetSpecificFilterParameters = NOT_IMPLEMENTED(4),
    .GetSpecificFilterArgument = NOT_IMPLEMENTED(5),
    .SetSpecificFilterArgument = NOT_IMPLEMENTED(3),
    .GetExceptionFilterParameters = NOT_IMPLEMENTED(5),
    .SetExceptionFilterParameters = NOT_IMPLEMENTED(3),
    .GetExceptionFilterSecondCommand = NOT_IMPLEMENTED(5),
    .SetExceptionFilterSecondCommand = NOT_IMPLEMENTED(3),
    .WaitForEvent = wait_for_event,
    .GetLastEventInformation = NOT_IMPLEMENTED(10),
};
