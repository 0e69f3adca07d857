/* The embedded engine's IPointerScatter: moves many ranges of target memory, compares memory,
 * shares work among processors, and passes memory to a search. */
#include "scatter.h"

#include "../../com/hresult.h"
#include "engine.h"

EMBEDDED_INTERFACE(IPointerScatter, scatter);

static HRESULT STDMETHODCALLTYPE is_stopped(IPointerScatter *This)
{
    return embedded_of(This)->stopped ? S_OK : S_FALSE;
}

static HRESULT STDMETHODCALLTYPE get_granule(IPointerScatter *This, ULONG *Bytes)
{
    *Bytes = embedded_of(This)->granule;
    return S_OK;
}

/* A transfer that ends early continues from there. The sizes are those of the caller's memory, so
 * they fit in size_t. */
static HRESULT move_range(embedded_target *embedded, bool writing, const pointer_range *range)
{
    unsigned char *data = range->Data;
    HRESULT status = S_OK;
    size_t done = 0, moved = 1;

    while (moved > 0 && done < range->Size) {
        uint64_t address = range->Offset + done;
        size_t left = (size_t)range->Size - done;

        status = writing ? embedded_write(embedded, address, data + done, left, &moved)
                         : embedded_read(embedded, address, data + done, left, &moved);
        done += moved;
    }
    return done == range->Size ? S_OK : status;
}

static HRESULT move_ranges(IPointerScatter *This, bool writing, ULONG count,
                           const pointer_range *ranges, ULONG *done)
{
    embedded_target *embedded = embedded_of(This);
    const embedded_target_operations *operations = embedded->operations;
    HRESULT status = embedded_accessible(embedded);
    size_t whole = 0;

    if (status == S_OK && operations->move_ranges != NULL) {
        status = operations->move_ranges(embedded, writing, ranges, count, &whole);
    } else {
        while (status == S_OK && whole < count) {
            status = move_range(embedded, writing, &ranges[whole]);
            whole += status == S_OK ? 1 : 0;
        }
    }
    *done = (ULONG)whole;
    return status;
}

static HRESULT STDMETHODCALLTYPE write_ranges(IPointerScatter *This, ULONG Count,
                                              const pointer_range *Ranges, ULONG *Done)
{
    return move_ranges(This, true, Count, Ranges, Done);
}

static HRESULT STDMETHODCALLTYPE read_ranges(IPointerScatter *This, ULONG Count,
                                             const pointer_range *Ranges, ULONG *Done)
{
    return move_ranges(This, false, Count, Ranges, Done);
}

static HRESULT STDMETHODCALLTYPE get_span_region(IPointerScatter *This, ULONG64 Offset,
                                                 ULONG64 *End)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = embedded_accessible(embedded);

    return status == S_OK ? embedded->operations->span_region(embedded, Offset, End) : status;
}

static HRESULT STDMETHODCALLTYPE write_narrow_pointers(IPointerScatter *This, ULONG64 Offset,
                                                       const void *Ptrs, ULONG64 Count, bool Check,
                                                       ULONG64 *Done)
{
    embedded_target *embedded = embedded_of(This);
    const embedded_target_operations *operations = embedded->operations;

    *Done = operations->write_narrow == NULL
                ? 0
                : operations->write_narrow(embedded, Offset, Ptrs, (size_t)Count, Check);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE count_equal_bytes(IPointerScatter *This, ULONG64 Offset,
                                                   const void *Data, ULONG64 Size, ULONG64 *Equal)
{
    embedded_target *embedded = embedded_of(This);
    const embedded_target_operations *operations = embedded->operations;

    *Equal = operations->count_equal == NULL
                 ? 0
                 : operations->count_equal(embedded, Offset, Data, (size_t)Size);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE share_by_pages(IPointerScatter *This, const shared_work *Work,
                                                ULONG64 *Done)
{
    embedded_target *embedded = embedded_of(This);
    const embedded_target_operations *operations = embedded->operations;

    *Done = 0;
    return operations->share == NULL ? S_OK : operations->share(embedded, Work, Done);
}

static HRESULT STDMETHODCALLTYPE begin_aside(IPointerScatter *This, void (*Function)(void *),
                                             void *Context)
{
    embedded_target *embedded = embedded_of(This);
    const embedded_target_operations *operations = embedded->operations;

    return operations->begin_aside == NULL ? S_FALSE
                                           : operations->begin_aside(embedded, Function, Context);
}

static HRESULT STDMETHODCALLTYPE end_aside(IPointerScatter *This)
{
    embedded_target *embedded = embedded_of(This);

    embedded->operations->end_aside(embedded);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE find_part(IPointerScatter *This, ULONG64 Offset, ULONG64 End,
                                           bool Zeros, pointer_part *Part)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = embedded_accessible(embedded);

    return status == S_OK ? embedded->operations->find_part(embedded, Offset, End, Zeros, Part)
                          : status;
}

static HRESULT STDMETHODCALLTYPE read_blocks(IPointerScatter *This, ULONG Count,
                                             const pointer_block *Blocks, pointer_block_taker Take,
                                             void *Context)
{
    embedded_target *embedded = embedded_of(This);
    HRESULT status = embedded_accessible(embedded);

    if (status == S_OK && embedded->operations->read_blocks != NULL) {
        status = embedded->operations->read_blocks(embedded, Blocks, Count, Take, Context);
    }
    return status;
}

const IPointerScatterVtbl embedded_scatter_vtbl = {
    .QueryInterface = query_interface,
    .AddRef = add_ref,
    .Release = release,
    .IsStopped = is_stopped,
    .GetGranule = get_granule,
    .WriteRanges = write_ranges,
    .ReadRanges = read_ranges,
    .GetSpanRegion = get_span_region,
    .FindPart = find_part,
    .ReadBlocks = read_blocks,
    .WriteNarrowPointers = write_narrow_pointers,
    .CountEqualBytes = count_equal_bytes,
    .ShareByPages = share_by_pages,
    .BeginAside = begin_aside,
    .EndAside = end_aside,
};
