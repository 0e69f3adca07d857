/* The embedded engine's object: identity, QueryInterface, references, life and death. */
#include "engine.h"

#include <stddef.h>
#include <stdlib.h>

#include "../../com/iids.h"

IDebugClient5 *embedded_engine_create(embedded_target *embedded)
{
    IDebugClient5 *client = NULL;
    embedded_engine *self = calloc(1, sizeof *self);

    if (self != NULL) {
        self->client.lpVtbl = &embedded_client_vtbl;
        self->control.lpVtbl = &embedded_control_vtbl;
        self->data_spaces.lpVtbl = &embedded_data_spaces_vtbl;
        self->scatter.lpVtbl = &embedded_scatter_vtbl;
        self->embedded = embedded;
        self->effective_pointer_size = embedded->pointer_size;
        atomic_i32_store(&self->references, 1);
        client = &self->client;
    }
    return client;
}

embedded_engine *embedded_engine_of_client(IDebugClient5 *client)
{
    return (embedded_engine *)(void *)((char *)client - offsetof(embedded_engine, client));
}

embedded_engine *embedded_engine_of_control(IDebugControl *control)
{
    return (embedded_engine *)(void *)((char *)control - offsetof(embedded_engine, control));
}

embedded_engine *embedded_engine_of_data_spaces(IDebugDataSpaces4 *data_spaces)
{
    return (embedded_engine *)(void *)((char *)data_spaces -
                                       offsetof(embedded_engine, data_spaces));
}

embedded_engine *embedded_engine_of_scatter(IPointerScatter *scatter)
{
    return (embedded_engine *)(void *)((char *)scatter - offsetof(embedded_engine, scatter));
}

/* COM's rules of identity: IUnknown is the same pointer whichever interface is asked. */
HRESULT embedded_engine_query(embedded_engine *self, const GUID *interface_id, void **result)
{
    HRESULT status = S_OK;
    void *found = NULL;

    if (result == NULL || interface_id == NULL) {
        status = E_POINTER;
    } else {
        if (iid_equal(interface_id, &iid_unknown) || iid_equal(interface_id, &iid_debug_client)) {
            found = &self->client;
        } else if (iid_equal(interface_id, &iid_debug_control)) {
            found = &self->control;
        } else if (iid_equal(interface_id, &iid_debug_data_spaces) ||
                   iid_equal(interface_id, &iid_debug_data_spaces2) ||
                   iid_equal(interface_id, &iid_debug_data_spaces3) ||
                   iid_equal(interface_id, &iid_debug_data_spaces4)) {
            found = &self->data_spaces;
        } else if (iid_equal(interface_id, &iid_pointer_scatter)) {
            found = &self->scatter;
        } else {
            status = E_NOINTERFACE;
        }
        if (found != NULL) {
            (void)embedded_engine_add_reference(self);
        }
        *result = found;
    }
    return status;
}

ULONG embedded_engine_add_reference(embedded_engine *self)
{
    return (ULONG)atomic_i32_add(&self->references, 1);
}

ULONG embedded_engine_release(embedded_engine *self)
{
    int32_t left = atomic_i32_add(&self->references, -1);

    if (left == 0) {
        self->embedded->operations->destroy(self->embedded);
        free(self);
    }
    return (ULONG)left;
}
