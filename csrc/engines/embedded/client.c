/* The embedded engine's IDebugClient: it creates the engine, and detaches from the target or ends
 * it.
 *
 * A separate C function opens each kind of target (target_simulated.h, target_linux.h), since the
 * options of an opening differ from those on Windows. AttachProcess and the related methods return
 * E_NOTIMPL.
 */
#include "client.h"

#include <stdlib.h>

#include "../../com/hresult.h"
#include "control.h"
#include "data_spaces.h"
#include "engine.h"
#include "not_implemented.h"
#include "scatter.h"

EMBEDDED_INTERFACE(IDebugClient5, client);

static HRESULT STDMETHODCALLTYPE terminate_processes(IDebugClient5 *This)
{
    embedded_target *embedded = embedded_of(This);

    return embedded->operations->terminate(embedded);
}

/* Returns S_OK without a target too, as dbgeng does. */
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

static const IDebugClient5Vtbl client_vtbl = {
    .QueryInterface = query_interface,
    .AddRef = add_ref,
    .Release = release,
    .AttachKernel = NOT_IMPLEMENTED(3),
    .GetKernelConnectionOptions = NOT_IMPLEMENTED(4),
    .SetKernelConnectionOptions = NOT_IMPLEMENTED(2),
    .StartProcessServer = NOT_IMPLEMENTED(4),
    .ConnectProcessServer = NOT_IMPLEMENTED(3),
    .DisconnectProcessServer = NOT_IMPLEMENTED_AS(3, IDebugClient5 *, ULONG64),
    .GetRunningProcessSystemIds =
        NOT_IMPLEMENTED_AS(6, IDebugClient5 *, ULONG64, ULONG *, ULONG, ULONG *),
    .GetRunningProcessSystemIdByExecutableName = NOT_IMPLEMENTED(6),
    .GetRunningProcessDescription = NOT_IMPLEMENTED(11),
    .AttachProcess = NOT_IMPLEMENTED_AS(5, IDebugClient5 *, ULONG64, ULONG, ULONG),
    .CreateProcess = NOT_IMPLEMENTED(5),
    .CreateProcessAndAttach = NOT_IMPLEMENTED(7),
    .GetProcessOptions = NOT_IMPLEMENTED(2),
    .AddProcessOptions = NOT_IMPLEMENTED_AS(2, IDebugClient5 *, ULONG),
    .RemoveProcessOptions = NOT_IMPLEMENTED(2),
    .SetProcessOptions = NOT_IMPLEMENTED(2),
    .OpenDumpFile = NOT_IMPLEMENTED(2),
    .WriteDumpFile = NOT_IMPLEMENTED(3),
    .ConnectSession = NOT_IMPLEMENTED_AS(3, IDebugClient5 *, ULONG, ULONG),
    .StartServer = NOT_IMPLEMENTED(2),
    .OutputServers = NOT_IMPLEMENTED(4),
    .TerminateProcesses = terminate_processes,
    .DetachProcesses = detach_processes,
    .EndSession = end_session,
    .GetExitCode = NOT_IMPLEMENTED_AS(2, IDebugClient5 *, ULONG *),
    .DispatchCallbacks = NOT_IMPLEMENTED_AS(2, IDebugClient5 *, ULONG),
    .ExitDispatch = NOT_IMPLEMENTED(2),
    .CreateClient = NOT_IMPLEMENTED_AS(2, IDebugClient5 *, void **),
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

IDebugClient5 *embedded_client_create(embedded_target *embedded)
{
    embedded_engine *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return NULL;
    }
    self->client.lpVtbl = &client_vtbl;
    self->control.lpVtbl = &embedded_control_vtbl;
    self->data_spaces.lpVtbl = &embedded_data_spaces_vtbl;
    self->scatter.lpVtbl = &embedded_scatter_vtbl;
    self->embedded = embedded;
    self->effective_pointer_size = embedded->pointer_size;
    atomic_i32_store(&self->references, 1);
    return &self->client;
}

embedded_target *embedded_client_target(IDebugClient5 *client)
{
    return client->lpVtbl == &client_vtbl ? embedded_of(client) : NULL;
}
