/* The embedded engine: one COM object with a client, a control and data-spaces interfaces.
 *
 * It returns the same results as Microsoft's engine (docs/engine.md lists the observations) for the
 * one target that it owns. This header has its identity and references; client.c creates it, and
 * each interface has a file.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_ENGINE_H
#define PYDBGWRITE_ENGINES_EMBEDDED_ENGINE_H

#include "../../base/atomics.h"
#include "../../com/client.h"
#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "../../com/pointer_scatter.h"
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

/* The methods of IUnknown, for all interfaces. */
HRESULT embedded_engine_query(embedded_engine *self, const GUID *interface_id, void **result);
ULONG embedded_engine_add_reference(embedded_engine *self);
ULONG embedded_engine_release(embedded_engine *self);

/* The beginning of the file of each interface. The interface is a member of the object. The macro
 * defines the conversion from a pointer to the interface to its object, and the slots of IUnknown.
 */
#define EMBEDDED_INTERFACE(interface, member)                                                      \
    static embedded_engine *engine_of(interface *This)                                             \
    {                                                                                              \
        return (embedded_engine *)(void *)((char *)This - offsetof(embedded_engine, member));      \
    }                                                                                              \
                                                                                                   \
    static embedded_target *embedded_of(interface *This)                                           \
    {                                                                                              \
        return engine_of(This)->embedded;                                                          \
    }                                                                                              \
                                                                                                   \
    static HRESULT STDMETHODCALLTYPE query_interface(interface *This, const GUID *InterfaceId,     \
                                                     void **Interface)                             \
    {                                                                                              \
        return embedded_engine_query(engine_of(This), InterfaceId, Interface);                     \
    }                                                                                              \
                                                                                                   \
    static ULONG STDMETHODCALLTYPE add_ref(interface *This)                                        \
    {                                                                                              \
        return embedded_engine_add_reference(engine_of(This));                                     \
    }                                                                                              \
                                                                                                   \
    static ULONG STDMETHODCALLTYPE release(interface *This)                                        \
    {                                                                                              \
        return embedded_engine_release(engine_of(This));                                           \
    }                                                                                              \
                                                                                                   \
    _Static_assert(sizeof(interface) == sizeof(void *), "an interface is a pointer to a table")

#endif
