/* Calls on an older version of the data spaces; what stands behind its vtable's end is refused. */
#include "older_data_spaces.h"

#include <stdlib.h>

#include "../../com/hresult.h"
#include "../../base/atomics.h"

/* The versions of IDebugDataSpaces that brought these (dbgeng.h). */
#define FILL_VIRTUAL_SINCE  2u
#define QUERY_VIRTUAL_SINCE 2u
#define VALID_REGIONS_SINCE 4u

typedef struct older_data_spaces {
    IDebugDataSpaces4 face; /* first: a pointer to it is one to the whole */
    IDebugDataSpaces4 *older;
    unsigned int version;
    atomic_i32 references;
} older_data_spaces;

static older_data_spaces *self_of(IDebugDataSpaces4 *This)
{
    return (older_data_spaces *)(void *)This;
}

static IDebugDataSpaces4 *older_of(IDebugDataSpaces4 *This)
{
    return self_of(This)->older;
}

static HRESULT STDMETHODCALLTYPE query_interface(IDebugDataSpaces4 *This, const GUID *InterfaceId,
                                                 void **Interface)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->QueryInterface(older, InterfaceId, Interface);
}

static ULONG STDMETHODCALLTYPE add_ref(IDebugDataSpaces4 *This)
{
    return (ULONG)atomic_i32_add(&self_of(This)->references, 1);
}

static ULONG STDMETHODCALLTYPE release(IDebugDataSpaces4 *This)
{
    older_data_spaces *self = self_of(This);
    int32_t left = atomic_i32_add(&self->references, -1);

    if (left == 0) {
        (void)self->older->lpVtbl->Release(self->older);
        free(self);
    }
    return (ULONG)left;
}

static HRESULT STDMETHODCALLTYPE read_virtual(IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer,
                                              ULONG BufferSize, ULONG *BytesRead)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->ReadVirtual(older, Offset, Buffer, BufferSize, BytesRead);
}

static HRESULT STDMETHODCALLTYPE write_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               void *Buffer, ULONG BufferSize, ULONG *BytesWritten)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->WriteVirtual(older, Offset, Buffer, BufferSize, BytesWritten);
}

static HRESULT STDMETHODCALLTYPE search_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                ULONG64 Length, void *Pattern, ULONG PatternSize,
                                                ULONG PatternGranularity, ULONG64 *MatchOffset)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->SearchVirtual(older, Offset, Length, Pattern, PatternSize,
                                        PatternGranularity, MatchOffset);
}

static HRESULT STDMETHODCALLTYPE read_virtual_uncached(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                       void *Buffer, ULONG BufferSize,
                                                       ULONG *BytesRead)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->ReadVirtualUncached(older, Offset, Buffer, BufferSize, BytesRead);
}

static HRESULT STDMETHODCALLTYPE write_virtual_uncached(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                        void *Buffer, ULONG BufferSize,
                                                        ULONG *BytesWritten)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->WriteVirtualUncached(older, Offset, Buffer, BufferSize, BytesWritten);
}

static HRESULT STDMETHODCALLTYPE read_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                       ULONG64 Offset, ULONG64 *Ptrs)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->ReadPointersVirtual(older, Count, Offset, Ptrs);
}

static HRESULT STDMETHODCALLTYPE write_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                        ULONG64 Offset, ULONG64 *Ptrs)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->WritePointersVirtual(older, Count, Offset, Ptrs);
}

static HRESULT STDMETHODCALLTYPE read_physical(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               void *Buffer, ULONG BufferSize, ULONG *BytesRead)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->ReadPhysical(older, Offset, Buffer, BufferSize, BytesRead);
}

static HRESULT STDMETHODCALLTYPE write_physical(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                void *Buffer, ULONG BufferSize, ULONG *BytesWritten)
{
    IDebugDataSpaces4 *older = older_of(This);

    return older->lpVtbl->WritePhysical(older, Offset, Buffer, BufferSize, BytesWritten);
}

static HRESULT STDMETHODCALLTYPE fill_virtual(IDebugDataSpaces4 *This, ULONG64 Start, ULONG Size,
                                              void *Pattern, ULONG PatternSize, ULONG *Filled)
{
    IDebugDataSpaces4 *older = older_of(This);
    HRESULT status = E_NOTIMPL;

    if (self_of(This)->version >= FILL_VIRTUAL_SINCE) {
        status = older->lpVtbl->FillVirtual(older, Start, Size, Pattern, PatternSize, Filled);
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE query_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               MEMORY_BASIC_INFORMATION64 *Info)
{
    IDebugDataSpaces4 *older = older_of(This);
    HRESULT status = E_NOTIMPL;

    if (self_of(This)->version >= QUERY_VIRTUAL_SINCE) {
        status = older->lpVtbl->QueryVirtual(older, Offset, Info);
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE next_differently_valid(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                        ULONG64 *NextOffset)
{
    IDebugDataSpaces4 *older = older_of(This);
    HRESULT status = E_NOTIMPL;

    if (self_of(This)->version >= VALID_REGIONS_SINCE) {
        status = older->lpVtbl->GetNextDifferentlyValidOffsetVirtual(older, Offset, NextOffset);
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE valid_region(IDebugDataSpaces4 *This, ULONG64 Base, ULONG Size,
                                              ULONG64 *ValidBase, ULONG *ValidSize)
{
    IDebugDataSpaces4 *older = older_of(This);
    HRESULT status = E_NOTIMPL;

    if (self_of(This)->version >= VALID_REGIONS_SINCE) {
        status = older->lpVtbl->GetValidRegionVirtual(older, Base, Size, ValidBase, ValidSize);
    }
    return status;
}

/* The slots that are untyped stay empty: no call through them compiles, and this face is given to
 * nobody outside the project. */
static const IDebugDataSpaces4Vtbl vtbl = {
    .QueryInterface = query_interface,
    .AddRef = add_ref,
    .Release = release,
    .ReadVirtual = read_virtual,
    .WriteVirtual = write_virtual,
    .SearchVirtual = search_virtual,
    .ReadVirtualUncached = read_virtual_uncached,
    .WriteVirtualUncached = write_virtual_uncached,
    .ReadPointersVirtual = read_pointers_virtual,
    .WritePointersVirtual = write_pointers_virtual,
    .ReadPhysical = read_physical,
    .WritePhysical = write_physical,
    .FillVirtual = fill_virtual,
    .QueryVirtual = query_virtual,
    .GetNextDifferentlyValidOffsetVirtual = next_differently_valid,
    .GetValidRegionVirtual = valid_region,
};

IDebugDataSpaces4 *older_data_spaces_create(void *older, unsigned int version)
{
    older_data_spaces *self = calloc(1, sizeof *self);
    IDebugDataSpaces4 *face = NULL;

    if (self != NULL) {
        self->face.lpVtbl = &vtbl;
        self->older = older;
        self->version = version;
        atomic_i32_store(&self->references, 1);
        face = &self->face;
    }
    return face;
}
