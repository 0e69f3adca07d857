/* The embedded engine: one COM object with a client, a control and data-spaces interfaces.
 *
 * It answers as Microsoft's engine does (docs/engine.md says what was observed there), over one
 * target that it owns. engine.c keeps identity and references; client.c, control.c,
 * data_spaces.c and scatter.c hold an interface each.
 */
#ifndef PYDBGWRITE_EMBEDDED_ENGINE_H
#define PYDBGWRITE_EMBEDDED_ENGINE_H

#include "../../com/client.h"
#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "../../com/pointer_scatter.h"
#include "../../base/atomics.h"
#include "target.h"

typedef struct embedded_engine {
    IDebugClient5 client;
    IDebugControl control;
    IDebugDataSpaces4 data_spaces;
    IPointerScatter scatter;
    atomic_i32 references;
    embedded_target *embedded;
    uint32_t effective_pointer_size; /* of the effective processor: 4 or 8 */
} embedded_engine;

/* Makes an engine over `target`, which it owns from then on, and gives its client with one
 * reference. NULL when memory is short; the target is then still the caller's. */
IDebugClient5 *embedded_engine_create(embedded_target *embedded);

/* The object behind a client that embedded_engine_create() gave. */
embedded_engine *embedded_engine_of_client(IDebugClient5 *client);

/* For the interface files: which object an interface pointer belongs to, and IUnknown for it. */
embedded_engine *embedded_engine_of_control(IDebugControl *control);
embedded_engine *embedded_engine_of_data_spaces(IDebugDataSpaces4 *data_spaces);
embedded_engine *embedded_engine_of_scatter(IPointerScatter *scatter);
HRESULT embedded_engine_query(embedded_engine *self, const GUID *interface_id, void **result);
ULONG embedded_engine_add_reference(embedded_engine *self);
ULONG embedded_engine_release(embedded_engine *self);

extern const IDebugClient5Vtbl embedded_client_vtbl;
extern const IDebugControlVtbl embedded_control_vtbl;
extern const IDebugDataSpaces4Vtbl embedded_data_spaces_vtbl;
extern const IPointerScatterVtbl embedded_scatter_vtbl;

#endif
