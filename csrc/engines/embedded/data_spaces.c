/* The embedded engine's IDebugDataSpaces4, by Microsoft's contract.
 *
 * Every method first checks that the target is accessible; if it is not, the method returns
 * E_UNEXPECTED, whatever the arguments. pointers.c moves pointers.
 */
#include "data_spaces.h"

#include "../../com/hresult.h"
#include "engine.h"
#include "not_implemented.h"
#include "pointers.h"
#include "search.h"

EMBEDDED_INTERFACE(IDebugDataSpaces4, data_spaces);

static HRESULT accessible(IDebugDataSpaces4 *This)
{
    return embedded_accessible(embedded_of(This));
}

/* ReadVirtual and WriteVirtual: S_OK when "at least partially successful". */
static HRESULT count_moved(HRESULT status, size_t moved, ULONG *count)
{
    if (moved > 0 && count != NULL) {
        *count = (ULONG)moved;
    }
    return moved > 0 ? S_OK : status;
}

/* Also ReadVirtualUncached: "in user-mode they are the same" (dbgeng.h). */
static HRESULT STDMETHODCALLTYPE read_virtual(IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer,
                                              ULONG BufferSize, ULONG *BytesRead)
{
    HRESULT status = accessible(This);
    size_t moved = 0;

    if (status == S_OK && BufferSize == 0) {
        if (BytesRead != NULL) {
            *BytesRead = 0; /* success, although WriteVirtual refuses: observed */
        }
    } else if (status == S_OK) {
        status = embedded_read(embedded_of(This), Offset, Buffer,
                               (size_t)bytes_before_wrap(Offset, BufferSize), &moved);
    }
    return count_moved(status, moved, BytesRead);
}

static HRESULT STDMETHODCALLTYPE write_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               void *Buffer, ULONG BufferSize, ULONG *BytesWritten)
{
    HRESULT status = accessible(This);
    size_t moved = 0;

    if (status == S_OK && BufferSize == 0) {
        status = E_INVALIDARG;
    } else if (status == S_OK) {
        status = embedded_write(embedded_of(This), Offset, Buffer,
                                (size_t)bytes_before_wrap(Offset, BufferSize), &moved);
    }
    return count_moved(status, moved, BytesWritten);
}

static HRESULT STDMETHODCALLTYPE search_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                                ULONG64 Length, void *Pattern, ULONG PatternSize,
                                                ULONG PatternGranularity, ULONG64 *MatchOffset)
{
    embedded_pattern pattern = {Pattern, PatternSize, PatternGranularity};
    HRESULT status = accessible(This);

    if (status == S_OK) {
        status = embedded_search(embedded_of(This), Offset, bytes_before_wrap(Offset, Length),
                                 &pattern, MatchOffset);
        if (status == HR_NOT_FOUND && accessible(This) != S_OK) {
            status = E_UNEXPECTED; /* the target ended during the write: the result is unknown */
        }
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE read_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                       ULONG64 Offset, ULONG64 *Ptrs)
{
    HRESULT status = accessible(This);

    if (status == S_OK && Count > 0) {
        status = embedded_read_pointers(embedded_of(This), engine_of(This)->effective_pointer_size,
                                        Offset, Ptrs, Count);
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE write_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                        ULONG64 Offset, ULONG64 *Ptrs)
{
    HRESULT status = accessible(This);

    if (status == S_OK && Count > 0) {
        status = embedded_write_pointers(embedded_of(This), engine_of(This)->effective_pointer_size,
                                         Offset, Ptrs, Count);
    }
    return status;
}

/* Physical memory exists for kernel targets only; dbgeng returns the same for a user-mode target.
 */
static HRESULT STDMETHODCALLTYPE no_physical(IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer,
                                             ULONG BufferSize, ULONG *BytesMoved)
{
    (void)This;
    (void)Offset;
    (void)Buffer;
    (void)BufferSize;
    (void)BytesMoved;
    return E_UNEXPECTED;
}

/* Stops at the first byte that can't be written. S_OK if at least one byte was written, or none was
 * requested. *Filled is set whenever the arguments are valid: observed on dbgeng. */
static HRESULT STDMETHODCALLTYPE fill_virtual(IDebugDataSpaces4 *This, ULONG64 Start, ULONG Size,
                                              void *Pattern, ULONG PatternSize, ULONG *Filled)
{
    HRESULT status = accessible(This);
    unsigned char block[4096];
    uint64_t done = 0, size = 0, unasked = 0;

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
        status = embedded_write(embedded_of(This), Start + done, block, run, &moved);
        done += moved;
        if (status == S_OK && !embedded_goes_on(embedded_of(This), &unasked, run)) {
            status = E_ABORT;
        }
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
    HRESULT status = embedded_accessible(embedded);

    return status == S_OK ? embedded->operations->query(embedded, Offset, Info) : status;
}

/* Returns the next page, as dbgeng does for a live user-mode target; after the last page it returns
 * S_FALSE and 0. */
static HRESULT STDMETHODCALLTYPE get_next_differently_valid_offset_virtual(IDebugDataSpaces4 *This,
                                                                           ULONG64 Offset,
                                                                           ULONG64 *NextOffset)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = embedded_accessible(embedded);
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
    HRESULT status = accessible(This);

    if (status == S_OK) {
        embedded_first_valid_region(embedded_of(This), Base, bytes_before_wrap(Base, Size),
                                    ValidBase, ValidSize);
        if (*ValidSize == 0) {
            status = accessible(This); /* the target may have ended meanwhile */
        }
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
    .ReadVirtualUncached = read_virtual,
    .WriteVirtualUncached = write_virtual,
    .ReadPointersVirtual = read_pointers_virtual,
    .WritePointersVirtual = write_pointers_virtual,
    .ReadPhysical = no_physical,
    .WritePhysical = no_physical,
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
