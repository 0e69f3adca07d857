/* The embedded engine's IDebugDataSpaces4: pointers and bytes, by Microsoft's contract.
 *
 * What is asked of every method comes first: no accessible target is E_UNEXPECTED, whatever the
 * arguments. Pointers go in order and stop at the first failure; the ones before it stay written,
 * and of the one that failed no byte changes (observed on the genuine engine, docs/engine.md).
 */
#include "engine.h"

#include <string.h>

#include "data_spaces_search.h"
#include "not_implemented.h"

/* How many pointers are narrowed or widened at a time: 32 KiB on the stack. */
#define CONVERSION_POINTERS 8192u

static HRESULT accessible(const target *memory)
{
    return memory->operations->accessible((struct target *)memory);
}

static target *target_of(IDebugDataSpaces4 *This)
{
    return embedded_engine_of_data_spaces(This)->memory;
}

/* How many of `size` bytes from `address` on lie below 2^64. */
static uint64_t bytes_before_wrap(uint64_t address, uint64_t size)
{
    uint64_t room = UINT64_MAX - address; /* one less than there is, so that it fits */

    return size == 0 || size - 1 <= room ? size : room + 1;
}

static HRESULT read_bytes(target *memory, uint64_t address, void *data, size_t size, size_t *moved)
{
    return memory->operations->read(memory, address, data, size, moved);
}

static HRESULT write_bytes(target *memory, uint64_t address, const void *data, size_t size,
                           size_t *moved)
{
    return memory->operations->write(memory, address, data, size, moved);
}

/* How many of `count` pointers from `address` on can go in one transfer that can't end inside a
 * pointer; 0: the first one itself lies across a boundary of the granule. */
static uint64_t whole_pointers(const target *memory, uint64_t address, uint64_t count,
                               uint32_t width)
{
    uint64_t granule = memory->granule;
    uint64_t whole = count;

    if (granule % width != 0) {
        whole = 0;
    } else if (address % width != 0) {
        whole = (granule - address % granule) / width;
    }
    return whole < count ? whole : count;
}

/* One pointer that lies across a boundary: all its bytes or none of them. */
static HRESULT write_across(target *memory, uint64_t address, const void *data, uint32_t width)
{
    unsigned char old[8];
    size_t held = 0, moved = 0, restored = 0;
    HRESULT status = S_OK;

    (void)read_bytes(memory, address, old, width, &held);
    status = write_bytes(memory, address, data, width, &moved);
    if (status != S_OK && moved > 0 && held >= moved) {
        (void)write_bytes(memory, address, old, moved, &restored);
    }
    return status;
}

/* Writes `count` values of `width` bytes each, already in the target's form. */
static HRESULT write_values(target *memory, uint64_t address, const unsigned char *data,
                            uint64_t count, uint32_t width)
{
    uint64_t fitting = bytes_before_wrap(address, count * width) / width;
    bool wraps = fitting < count;
    HRESULT status = S_OK;

    while (fitting > 0 && status == S_OK) {
        uint64_t run = whole_pointers(memory, address, fitting, width);

        if (run == 0) {
            status = write_across(memory, address, data, width);
            run = 1;
        } else {
            size_t moved = 0;

            /* A transfer of a whole 32-bit address space needs splitting where size_t is 32 bits.
             */
            if (run > SIZE_MAX / width) {
                run = SIZE_MAX / width;
            }
            status = write_bytes(memory, address, data, (size_t)(run * width), &moved);
        }
        address += run * width;
        data += run * width;
        fitting -= run;
    }
    return status == S_OK && wraps ? HR_INVALID_ADDRESS : status;
}

/* Reads up to `count` values; *done says how many were, and no byte after them is touched. */
static HRESULT read_values(target *memory, uint64_t address, unsigned char *data, uint64_t count,
                           uint32_t width, uint64_t *done)
{
    uint64_t fitting = bytes_before_wrap(address, count * width) / width;
    bool wraps = fitting < count;
    HRESULT status = S_OK;

    *done = 0;
    while (*done < fitting && status == S_OK) {
        uint64_t left = fitting - *done;
        uint64_t run = whole_pointers(memory, address, left, width);
        unsigned char across[8];
        size_t moved = 0;

        if (run == 0) {
            status = read_bytes(memory, address, across, width, &moved);
            if (status == S_OK) {
                memcpy(data, across, width);
            } else if (moved > 0 && status == HR_READ_FAULT) {
                status = E_FAIL; /* a part of a pointer can be read: observed */
            }
            run = status == S_OK ? 1 : 0;
        } else {
            if (run > SIZE_MAX / width) {
                run = SIZE_MAX / width;
            }
            status = read_bytes(memory, address, data, (size_t)(run * width), &moved);
            run = moved / width;
        }
        address += run * width;
        data += run * width;
        *done += run;
    }
    return status == S_OK && wraps ? HR_READ_FAULT : status;
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
    target *memory = target_of(This);
    HRESULT status = accessible(memory);
    size_t moved = 0;

    if (status == S_OK && BufferSize == 0) {
        if (BytesRead != NULL) {
            *BytesRead = 0; /* a success, where WriteVirtual refuses: observed */
        }
    } else if (status == S_OK) {
        size_t size = (size_t)bytes_before_wrap(Offset, BufferSize);

        status = read_bytes(memory, Offset, Buffer, size, &moved);
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
    target *memory = target_of(This);
    HRESULT status = accessible(memory);
    size_t moved = 0;

    if (status == S_OK && BufferSize == 0) {
        status = E_INVALIDARG;
    }
    if (status == S_OK) {
        size_t size = (size_t)bytes_before_wrap(Offset, BufferSize);

        status = write_bytes(memory, Offset, Buffer, size, &moved);
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
    target *memory = target_of(This);
    HRESULT status = accessible(memory);

    if (status == S_OK) {
        status = search_target(memory, Offset, bytes_before_wrap(Offset, Length), Pattern,
                               PatternSize, PatternGranularity, MatchOffset);
        if (status == HR_NOT_FOUND && accessible(memory) != S_OK) {
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
    HRESULT status = accessible(self->memory);
    uint64_t left = Count, done = 0;

    if (self->effective_pointer_size == 8) {
        if (status == S_OK && left > 0) {
            status = read_values(self->memory, Offset, (unsigned char *)Ptrs, left, 8, &done);
        }
    } else {
        uint32_t narrow[CONVERSION_POINTERS];

        while (status == S_OK && left > 0) {
            uint64_t run = left < CONVERSION_POINTERS ? left : CONVERSION_POINTERS;

            status = read_values(self->memory, Offset, (unsigned char *)narrow, run, 4, &done);
            for (uint64_t i = 0; i < done; i++) {
                /* Zero-extended, but for the one that is all ones, as observed. */
                Ptrs[i] = narrow[i] == UINT32_MAX ? UINT64_MAX : narrow[i];
            }
            /* The next run starts past 2^64 when this one ended there. */
            if (status == S_OK && run < left && Offset > UINT64_MAX - run * 4) {
                status = HR_READ_FAULT;
            }
            Ptrs += done;
            Offset += done * 4;
            left -= done;
        }
    }
    return status;
}

static HRESULT STDMETHODCALLTYPE write_pointers_virtual(IDebugDataSpaces4 *This, ULONG Count,
                                                        ULONG64 Offset, ULONG64 *Ptrs)
{
    embedded_engine *self = embedded_engine_of_data_spaces(This);
    HRESULT status = accessible(self->memory);
    uint64_t left = Count;

    if (self->effective_pointer_size == 8) {
        if (status == S_OK && left > 0) {
            status = write_values(self->memory, Offset, (const unsigned char *)Ptrs, left, 8);
        }
    } else {
        uint32_t narrow[CONVERSION_POINTERS];

        while (status == S_OK && left > 0) {
            uint64_t run = left < CONVERSION_POINTERS ? left : CONVERSION_POINTERS;

            for (uint64_t i = 0; i < run; i++) {
                narrow[i] = (uint32_t)Ptrs[i]; /* the cast of Microsoft's remark */
            }
            status = write_values(self->memory, Offset, (const unsigned char *)narrow, run, 4);
            if (status == S_OK && run < left && Offset > UINT64_MAX - run * 4) {
                status = HR_INVALID_ADDRESS;
            }
            Ptrs += run;
            Offset += run * 4;
            left -= run;
        }
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
    target *memory = target_of(This);
    HRESULT status = accessible(memory);
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
        status = write_bytes(memory, Start + done, block, run, &moved);
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
    target *memory = target_of(This);
    HRESULT status = accessible(memory);

    return status == S_OK ? memory->operations->query(memory, Offset, Info) : status;
}

/* The next page, as the genuine engine answers for a live user-mode target; behind the last page
 * it says S_FALSE and 0. */
static HRESULT STDMETHODCALLTYPE get_next_differently_valid_offset_virtual(IDebugDataSpaces4 *This,
                                                                           ULONG64 Offset,
                                                                           ULONG64 *NextOffset)
{
    target *memory = target_of(This);
    HRESULT status = accessible(memory);
    uint64_t in_page = memory->page_size - 1;

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
    target *memory = target_of(This);
    HRESULT status = accessible(memory);

    if (status == S_OK) {
        status =
            first_valid_region(memory, Base, bytes_before_wrap(Base, Size), ValidBase, ValidSize);
    }
    if (status == S_OK && *ValidSize == 0) {
        status = accessible(memory); /* it may have gone in the middle */
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
