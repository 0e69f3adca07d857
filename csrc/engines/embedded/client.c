/* The embedded engine's IDebugClient: letting a target go, or ending it.
 *
 * A target is opened by a C function of its own (target_simulated.h, target_linux.h), since what
 * there is to say at an opening differs from Windows; AttachProcess and its kin are E_NOTIMPL.
 */
#include "engine.h"

#include "not_implemented.h"

static embedded_target *embedded_of(IDebugClient5 *This)
{
    return embedded_engine_of_client(This)->embedded;
}

static HRESULT STDMETHODCALLTYPE query_interface(IDebugClient5 *This, const GUID *InterfaceId,
                                                 void **Interface)
{
    return embedded_engine_query(embedded_engine_of_client(This), InterfaceId, Interface);
}

static ULONG STDMETHODCALLTYPE add_ref(IDebugClient5 *This)
{
    return embedded_engine_add_reference(embedded_engine_of_client(This));
}

static ULONG STDMETHODCALLTYPE release(IDebugClient5 *This)
{
    return embedded_engine_release(embedded_engine_of_client(This));
}

static HRESULT STDMETHODCALLTYPE attach_process(IDebugClient5 *This, ULONG64 Server,
                                                ULONG ProcessId, ULONG AttachFlags)
{
    (void)This;
    (void)Server;
    (void)ProcessId;
    (void)AttachFlags;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE connect_session(IDebugClient5 *This, ULONG Flags,
                                                 ULONG HistoryLimit)
{
    (void)This;
    (void)Flags;
    (void)HistoryLimit;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE terminate_processes(IDebugClient5 *This)
{
    embedded_target *embedded = embedded_of(This);

    return embedded->operations->terminate(embedded);
}

/* S_OK without a target too, as the genuine engine answers. */
static HRESULT STDMETHODCALLTYPE detach_processes(IDebugClient5 *This)
{
    embedded_target *embedded = embedded_of(This);

    return embedded->operations->detach(embedded);
}

static HRESULT STDMETHODCALLTYPE end_session(IDebugClient5 *This, ULONG Flags)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = E_INVALIDARG;

    switch (Flags) {
    case DEBUG_END_ACTIVE_TERMINATE:
        status = embedded->operations->terminate(embedded);
        break;
    case DEBUG_END_PASSIVE:
    case DEBUG_END_ACTIVE_DETACH:
    case DEBUG_END_DISCONNECT:
        status = embedded->operations->detach(embedded);
        break;
    default:
        break;
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE get_exit_code(IDebugClient5 *This, ULONG *Code)
{
    (void)This;
    (void)Code;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE disconnect_process_server(IDebugClient5 *This, ULONG64 Server)
{
    (void)This;
    (void)Server;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE add_process_options(IDebugClient5 *This, ULONG Options)
{
    (void)This;
    (void)Options;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE dispatch_callbacks(IDebugClient5 *This, ULONG Timeout)
{
    (void)This;
    (void)Timeout;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE create_client(IDebugClient5 *This, void **Client)
{
    (void)This;
    (void)Client;
    return E_NOTIMPL;
}

const IDebugClient5Vtbl embedded_client_vtbl = {
    .QueryInterface = query_interface,
    .AddRef = add_ref,
    .Release = release,
    .AttachKernel = NOT_IMPLEMENTED(3),
    .GetKernelConnectionOptions = NOT_IMPLEMENTED(4),
    .SetKernelConnectionOptions = NOT_IMPLEMENTED(2),
    .StartProcessServer = NOT_IMPLEMENTED(4),
    .ConnectProcessServer = NOT_IMPLEMENTED(3),
    .DisconnectProcessServer = disconnect_process_server,
    .GetRunningProcessSystemIds = NOT_IMPLEMENTED(6),
    .GetRunningProcessSystemIdByExecutableName = NOT_IMPLEMENTED(6),
    .GetRunningProcessDescription = NOT_IMPLEMENTED(11),
    .AttachProcess = attach_process,
    .CreateProcess = NOT_IMPLEMENTED(5),
    .CreateProcessAndAttach = NOT_IMPLEMENTED(7),
    .GetProcessOptions = NOT_IMPLEMENTED(2),
    .AddProcessOptions = add_process_options,
    .RemoveProcessOptions = NOT_IMPLEMENTED(2),
    .SetProcessOptions = NOT_IMPLEMENTED(2),
    .OpenDumpFile = NOT_IMPLEMENTED(2),
    .WriteDumpFile = NOT_IMPLEMENTED(3),
    .ConnectSession = connect_session,
    .StartServer = NOT_IMPLEMENTED(2),
    .OutputServers = NOT_IMPLEMENTED(4),
    .TerminateProcesses = terminate_processes,
    .DetachProcesses = detach_processes,
    .EndSession = end_session,
    .GetExitCode = get_exit_code,
    .DispatchCallbacks = dispatch_callbacks,
    .ExitDispatch = NOT_IMPLEMENTED(2),
    .CreateClient = create_client,
    .GetInputCallbacks = NOT_IMPLEMENTED(2),
    .SetInputCallbacks = NOT_IMPLEMENTED(2),
    .GetOutputCallbacks = NOT_IMPLEMENTED(2),
    .SetOutputCallbacks = NOT_IMPLEMENTED(2),
    .GetOutputMask = NOT_IMPLEMENTED(2),
    .SetOutputMask = NOT_IMPLEMENTED(2),
    .GetOtherOutputMask = NOT_IMPLEMENTED(3),
    .SetOtherOutputMask = NOT_IMPLEMENTED(3),
    .GetOutputWidth = NOT_IMPLEMENTED(2),
    .SetOutputWidth = NOT_IMPLEMENTED(2),
    .GetOutputLinePrefix = NOT_IMPLEMENTED(4),
    .SetOutputLinePrefix = NOT_IMPLEMENTED(2),
    .GetIdentity = NOT_IMPLEMENTED(4),
    .OutputIdentity = NOT_IMPLEMENTED(4),
    .GetEventCallbacks = NOT_IMPLEMENTED(2),
    .SetEventCallbacks = NOT_IMPLEMENTED(2),
    .FlushCallbacks = NOT_IMPLEMENTED(1),
};
