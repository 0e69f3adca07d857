/* The embedded engine's IDebugDataSpaces4, by Microsoft's contract.
 *
 * What is asked of every method comes first: no accessible target is E_UNEXPECTED, whatever the
 * arguments. How pointers are moved is in pointers.c.
 */
#include "engine.h"

#include "pointers.h"
#include "search.h"
#include "not_implemented.h"

static HRESULT accessible(const embedded_target *embedded)
{
    return embedded->operations->accessible((struct embedded_target *)embedded);
}

static embedded_target *embedded_of(IDebugDataSpaces4 *This)
{
    return embedded_engine_of_data_spaces(This)->embedded;
}

static HRESULT read_bytes(embedded_target *embedded, uint64_t address, void *data, size_t size,
                          size_t *moved)
{
    return embedded->operations->read(embedded, address, data, size, moved);
}

static HRESULT write_bytes(embedded_target *embedded, uint64_t address, const void *data,
                           size_t size, size_t *moved)
{
    return embedded->operations->write(embedded, address, data, size, moved);
}

static HRESULT STDMETHODCALLTYPE query_interface(IDebugDataSpaces4 *This, const GUID *InterfaceId,
                                                 void **Interface)
{
    return embedded_engine_query(embedded_engine_of_data_spaces(This), InterfaceId, Interface);
}

static ULONG STDMETHODCALLTYPE add_ref(IDebugDataSpaces4 *This)
{
    return embedded_engine_add_reference(embedded_engine_of_data_spaces(This));
}

static ULONG STDMETHODCALLTYPE release(IDebugDataSpaces4 *This)
{
    return embedded_engine_release(embedded_engine_of_data_spaces(This));
}

static HRESULT STDMETHODCALLTYPE read_virtual(IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer,
                                              ULONG BufferSize, ULONG *BytesRead)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);
    size_t moved = 0;

    if (status == S_OK && BufferSize == 0) {
        if (BytesRead != NULL) {
            *BytesRead = 0; /* a success, where WriteVirtual refuses: observed */
        }
    } else if (status == S_OK) {
        size_t size = (size_t)bytes_before_wrap(Offset, BufferSize);

        status = read_bytes(embedded, Offset, Buffer, size, &moved);
        if (moved > 0) {
            status = S_OK; /* "at least partially successful" */
            if (BytesRead != NULL) {
                *BytesRead = (ULONG)moved;
            }
        }
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE write_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               void *Buffer, ULONG BufferSize, ULONG *BytesWritten)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);
    size_t moved = 0;

    if (status == S_OK && BufferSize == 0) {
        status = E_INVALIDARG;
    }
    if (status == S_OK) {
        size_t size = (size_t)bytes_before_wrap(Offset, BufferSize);

        status = write_bytes(embedded, Offset, Buffer, size, &moved);
        if (moved > 0) {
            status = S_OK; /* "at least partially successful" */
            if (BytesWritten != NULL) {
                *BytesWritten = (ULONG)moved;
            }
        }
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE search_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                ULONG64 Length, void *Pattern, ULONG PatternSize,
                                                ULONG PatternGranularity, ULONG64 *MatchOffset)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);

    if (status == S_OK) {
        status = embedded_search(embedded, Offset, bytes_before_wrap(Offset, Length), Pattern,
                                 PatternSize, PatternGranularity, MatchOffset);
        if (status == HR_NOT_FOUND && accessible(embedded) != S_OK) {
            status = E_UNEXPECTED; /* it went in the middle: nobody knows */
        }
    }
    return status;
}

/* "In user-mode they are the same as Read/WriteVirtual" (dbgeng.h). */
static HRESULT STDMETHODCALLTYPE read_virtual_uncached(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                       void *Buffer, ULONG BufferSize,
                                                       ULONG *BytesRead)
{
    return read_virtual(This, Offset, Buffer, BufferSize, BytesRead);
}

static HRESULT STDMETHODCALLTYPE write_virtual_uncached(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                        void *Buffer, ULONG BufferSize,
                                                        ULONG *BytesWritten)
{
    return write_virtual(This, Offset, Buffer, BufferSize, BytesWritten);
}

static HRESULT STDMETHODCALLTYPE read_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                       ULONG64 Offset, ULONG64 *Ptrs)
{
    embedded_engine *self = embedded_engine_of_data_spaces(This);
    HRESULT status = accessible(self->embedded);

    if (status == S_OK && Count > 0) {
        status = embedded_read_pointers(self->embedded, self->effective_pointer_size, Offset, Ptrs,
                                        Count);
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE write_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                        ULONG64 Offset, ULONG64 *Ptrs)
{
    embedded_engine *self = embedded_engine_of_data_spaces(This);
    HRESULT status = accessible(self->embedded);

    if (status == S_OK && Count > 0) {
        status = embedded_write_pointers(self->embedded, self->effective_pointer_size, Offset, Ptrs,
                                         Count);
    }
    return status;
}

/* Physical memory is for kernel targets; the genuine engine answers this for a user-mode one. */
static HRESULT STDMETHODCALLTYPE read_physical(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               void *Buffer, ULONG BufferSize, ULONG *BytesRead)
{
    (void)This;
    (void)Offset;
    (void)Buffer;
    (void)BufferSize;
    (void)BytesRead;
    return E_UNEXPECTED;
}

static HRESULT STDMETHODCALLTYPE write_physical(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                void *Buffer, ULONG BufferSize, ULONG *BytesWritten)
{
    return read_physical(This, Offset, Buffer, BufferSize, BytesWritten);
}

/* Stops at the first byte that can't be written; S_OK when at least one was, or none was asked
 * for. *Filled is set whenever the arguments are good: observed on the genuine engine. */
static HRESULT STDMETHODCALLTYPE fill_virtual(IDebugDataSpaces4 *This, ULONG64 Start, ULONG Size,
                                              void *Pattern, ULONG PatternSize, ULONG *Filled)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);
    unsigned char block[4096];
    uint64_t done = 0, size = 0;

    if (status == S_OK && (PatternSize == 0 || Pattern == NULL)) {
        status = E_INVALIDARG;
    }
    if (status == S_OK) {
        size = bytes_before_wrap(Start, Size);
        if (Filled != NULL) {
            *Filled = 0;
        }
    }
    while (status == S_OK && done < size) {
        size_t run = size - done < sizeof block ? (size_t)(size - done) : sizeof block;
        size_t moved = 0;

        for (size_t i = 0; i < run; i++) {
            block[i] = ((const unsigned char *)Pattern)[(done + i) % PatternSize];
        }
        status = write_bytes(embedded, Start + done, block, run, &moved);
        done += moved;
    }
    if (done > 0) {
        status = S_OK;
        if (Filled != NULL) {
            *Filled = (ULONG)done;
        }
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE query_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               MEMORY_BASIC_INFORMATION64 *Info)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);

    return status == S_OK ? embedded->operations->query(embedded, Offset, Info) : status;
}

/* The next page, as the genuine engine answers for a live user-mode target; behind the last page
 * it says S_FALSE and 0. */
static HRESULT STDMETHODCALLTYPE get_next_differently_valid_offset_virtual(IDebugDataSpaces4 *This,
                                                                           ULONG64 Offset,
                                                                           ULONG64 *NextOffset)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);
    uint64_t in_page = embedded->page_size - 1;

    if (status == S_OK) {
        if ((Offset | in_page) == UINT64_MAX) {
            *NextOffset = 0;
            status = S_FALSE;
        } else {
            *NextOffset = (Offset | in_page) + 1;
        }
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE get_valid_region_virtual(IDebugDataSpaces4 *This, ULONG64 Base,
                                                          ULONG Size, ULONG64 *ValidBase,
                                                          ULONG *ValidSize)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = accessible(embedded);

    if (status == S_OK) {
        status = embedded_first_valid_region(embedded, Base, bytes_before_wrap(Base, Size),
                                             ValidBase, ValidSize);
    }
    if (status == S_OK && *ValidSize == 0) {
        status = accessible(embedded); /* it may have gone in the middle */
    }
    return status;
}

const IDebugDataSpaces4Vtbl embedded_data_spaces_vtbl = {
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
    .ReadControl = NOT_IMPLEMENTED(7),
    .WriteControl = NOT_IMPLEMENTED(7),
    .ReadIo = NOT_IMPLEMENTED(9),
    .WriteIo = NOT_IMPLEMENTED(9),
    .ReadMsr = NOT_IMPLEMENTED(3),
    .WriteMsr = NOT_IMPLEMENTED(4),
    .ReadBusData = NOT_IMPLEMENTED(8),
    .WriteBusData = NOT_IMPLEMENTED(8),
    .CheckLowMemory = NOT_IMPLEMENTED(1),
    .ReadDebuggerData = NOT_IMPLEMENTED(5),
    .ReadProcessorSystemData = NOT_IMPLEMENTED(6),
    .VirtualToPhysical = NOT_IMPLEMENTED(4),
    .GetVirtualTranslationPhysicalOffsets = NOT_IMPLEMENTED(6),
    .ReadHandleData = NOT_IMPLEMENTED(7),
    .FillVirtual = fill_virtual,
    .FillPhysical = NOT_IMPLEMENTED(7),
    .QueryVirtual = query_virtual,
    .ReadImageNtHeaders = NOT_IMPLEMENTED(4),
    .ReadTagged = NOT_IMPLEMENTED(6),
    .StartEnumTagged = NOT_IMPLEMENTED(2),
    .GetNextTagged = NOT_IMPLEMENTED(5),
    .EndEnumTagged = NOT_IMPLEMENTED(3),
    .GetOffsetInformation = NOT_IMPLEMENTED(8),
    .GetNextDifferentlyValidOffsetVirtual = get_next_differently_valid_offset_virtual,
    .GetValidRegionVirtual = get_valid_region_virtual,
    .SearchVirtual2 = NOT_IMPLEMENTED(10),
    .ReadMultiByteStringVirtual = NOT_IMPLEMENTED(7),
    .ReadMultiByteStringVirtualWide = NOT_IMPLEMENTED(8),
    .ReadUnicodeStringVirtual = NOT_IMPLEMENTED(8),
    .ReadUnicodeStringVirtualWide = NOT_IMPLEMENTED(7),
    .ReadPhysical2 = NOT_IMPLEMENTED(7),
    .WritePhysical2 = NOT_IMPLEMENTED(7),
};
