/* The backing of a session over Microsoft's engine that another package started.
 *
 * If its process is one of this machine, it is opened, to see when it ends and whether it is a
 * 32-bit one: then the effective processor is set, as attach does. It stays set when the session
 * ends, since another session over the same engine may rely on it by then.
 */
#include "wrapped.h"

#include <stdlib.h>

#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "../../com/system_objects.h"
#include "presence.h"
#include "width.h"

typedef struct wrapped_process {
    backing base;
    IDebugClient5 *client; /* the session's; NULL after the session has ended */
    HANDLE process;        /* NULL: another machine's, or no right to ask */
} wrapped_process;

/* Does nothing: the engine's owner releases it. */
static HRESULT leave_alone(backing *self, bool terminate, bool owner, const char **method)
{
    ((wrapped_process *)self)->client = NULL;
    (void)terminate;
    (void)owner;
    (void)method;
    return S_OK;
}

static backing_gone is_gone(const backing *base)
{
    const wrapped_process *self = (const wrapped_process *)base;

    return dbgeng_gone(self->client, self->process);
}

static void destroy(backing *base)
{
    wrapped_process *self = (wrapped_process *)base;

    if (self->process != NULL) {
        CloseHandle(self->process);
    }
    free(self);
}

static const backing_operations operations = {leave_alone, is_gone, destroy};

/* The engine's handle of its process is valid in this process only if the engine works here: a
 * client of a remote engine gives the remote handle. Then the ids differ, or there is no such
 * handle, and the id means nothing on this machine. */
static HANDLE open_local(IDebugClient5 *client, uint32_t process_id)
{
    void *found = NULL;
    ULONG64 handle = 0;
    HANDLE process = NULL;

    if (client->lpVtbl->QueryInterface(client, &iid_debug_system_objects, &found) == S_OK) {
        IDebugSystemObjects *objects = found;

        if (objects->lpVtbl->GetCurrentProcessHandle(objects, &handle) == S_OK &&
            GetProcessId((HANDLE)(uintptr_t)handle) == process_id) {
            process =
                OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, process_id);
        }
        (void)objects->lpVtbl->Release(objects);
    }
    return process;
}

backing *dbgeng_wrapped_create(IDebugClient5 *client, bool is_process, uint32_t *process_id,
                               dbgeng_error *error)
{
    wrapped_process *self = calloc(1, sizeof *self);

    if (self == NULL) {
        (void)dbgeng_fail_engine(error, "malloc", E_OUTOFMEMORY);
        return NULL;
    }
    self->base.operations = &operations;
    self->client = client;
    if (is_process) {
        *process_id = dbgeng_current_process(client);
        if (*process_id != 0) {
            self->process = open_local(client, *process_id);
        }
    }
    if (!dbgeng_settle_width(client, self->process, error)) {
        destroy(&self->base);
        self = NULL;
    }
    return self == NULL ? NULL : &self->base;
}
