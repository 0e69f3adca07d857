/* The embedded engine's object: identity and references. */
#include "engine.h"

#include <stdlib.h>

#include "../../com/hresult.h"
#include "../../com/iids.h"

/* The member of the object for each interface id. Every interface returns the same pointer for
 * IUnknown, as COM's rules of identity require. */
static const struct {
    const GUID *id;
    size_t member;
} members[] = {
    {&iid_unknown, offsetof(embedded_engine, client)},
    {&iid_debug_client, offsetof(embedded_engine, client)},
    {&iid_debug_control, offsetof(embedded_engine, control)},
    {&iid_debug_data_spaces, offsetof(embedded_engine, data_spaces)},
    {&iid_debug_data_spaces2, offsetof(embedded_engine, data_spaces)},
    {&iid_debug_data_spaces3, offsetof(embedded_engine, data_spaces)},
    {&iid_debug_data_spaces4, offsetof(embedded_engine, data_spaces)},
    {&iid_pointer_scatter, offsetof(embedded_engine, scatter)},
};

HRESULT embedded_engine_query(embedded_engine *self, const GUID *interface_id, void **result)
{
    if (result == NULL || interface_id == NULL) {
        return E_POINTER;
    }
    *result = NULL;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (iid_equal(interface_id, members[i].id)) {
            (void)embedded_engine_add_reference(self);
            *result = (char *)self + members[i].member;
        }
    }
    return *result == NULL ? E_NOINTERFACE : S_OK;
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
