/* The fake of fake_engine.h. */
#include "fake_engine.h"

#include <string.h>

static fake_engine *the_fake; /* one at a time: the clock and the step can't select a fake */
static uint64_t clock_ns;

static uint32_t width_of(const fake_engine *fake)
{
    return fake->width_answer == S_FALSE ? 4 : 8;
}

static HRESULT STDMETHODCALLTYPE is_pointer64_bit(IDebugControl *This)
{
    (void)This;
    return the_fake->width_answer;
}

static HRESULT note(uint64_t offset, ULONG count, const void *pointers)
{
    int call = the_fake->calls;

    if (call < FAKE_CALLS) {
        the_fake->counts[call] = count;
        the_fake->offsets[call] = offset;
        the_fake->pointers[call] = pointers;
    }
    the_fake->calls++;
    clock_ns += the_fake->ns_per_element * count;
    return call < 4 ? the_fake->answers[call] : S_OK;
}

static void store(uint64_t offset, const void *data, size_t size)
{
    if (the_fake->stores && offset >= the_fake->base &&
        offset - the_fake->base <= FAKE_MEMORY - size) {
        memcpy(the_fake->memory + (offset - the_fake->base), data, size);
    }
}

static HRESULT STDMETHODCALLTYPE write_pointers(IDebugDataSpaces4 *This, ULONG Count,
                                                ULONG64 Offset, ULONG64 *Ptrs)
{
    uint32_t width = width_of(the_fake);
    HRESULT answer = note(Offset, Count, Ptrs);

    (void)This;
    for (ULONG i = 0; the_fake->stores && answer == S_OK && i < Count; i++) {
        store(Offset + (uint64_t)i * width, &Ptrs[i], width);
    }
    if (the_fake->spoil != NULL) {
        *the_fake->spoil = the_fake->spoil_value;
    }
    return answer;
}

static HRESULT STDMETHODCALLTYPE read_pointers(IDebugDataSpaces4 *This, ULONG Count, ULONG64 Offset,
                                               ULONG64 *Ptrs)
{
    HRESULT answer = note(Offset, Count, Ptrs);

    (void)This;
    for (ULONG i = 0; the_fake->stores && answer == S_OK && i < Count; i++) {
        uint32_t narrow;
        uint64_t at = Offset - the_fake->base + (uint64_t)i * width_of(the_fake);

        if (width_of(the_fake) == 8) {
            memcpy(&Ptrs[i], the_fake->memory + at, 8);
        } else {
            memcpy(&narrow, the_fake->memory + at, 4);
            Ptrs[i] = the_fake->sign_extends ? (uint64_t)(int64_t)(int32_t)narrow : narrow;
        }
    }
    return answer;
}

static HRESULT STDMETHODCALLTYPE write_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               void *Buffer, ULONG BufferSize, ULONG *BytesWritten)
{
    int call = the_fake->calls;
    HRESULT answer = note(Offset, BufferSize, Buffer);
    ULONG moved = call < 4 && the_fake->counted[call] != 0 ? the_fake->counted[call] : BufferSize;

    (void)This;
    if (the_fake->stores) {
        store(Offset, Buffer, moved < BufferSize ? moved : BufferSize);
    }
    if (!the_fake->no_count) {
        *BytesWritten = moved;
    }
    return answer;
}

static HRESULT read_back(ULONG64 offset, unsigned char *to, ULONG size, ULONG *read)
{
    uint64_t at = offset - the_fake->base;
    uint64_t left =
        offset >= the_fake->base && at < the_fake->readable ? the_fake->readable - at : 0;
    ULONG moved = left < size ? (ULONG)left : size;
    HRESULT answer = S_OK;

    the_fake->reads++;
    if (the_fake->scribbles) {
        memset(to, 0xEE, size);
    }
    if (the_fake->reading == FAKE_READS_GONE) {
        answer = E_UNEXPECTED;
    } else if (moved == 0 || (the_fake->reading == FAKE_READS_ALL_OR_NOT && moved < size)) {
        answer = HR_READ_FAULT;
    } else {
        memcpy(to, the_fake->memory + at, moved);
        if (the_fake->reading != FAKE_READS_NO_COUNT) {
            *read = moved;
        }
    }
    return answer;
}

static HRESULT STDMETHODCALLTYPE read_virtual(IDebugDataSpaces4 *This, ULONG64 Offset, void *Buffer,
                                              ULONG BufferSize, ULONG *BytesRead)
{
    int call = the_fake->calls;
    HRESULT answer;

    (void)This;
    if (the_fake->readable > 0 || the_fake->reading != FAKE_READS_SHORT) {
        return read_back(Offset, Buffer, BufferSize, BytesRead);
    }
    answer = note(Offset, BufferSize, Buffer);
    if (!the_fake->no_count) {
        *BytesRead =
            call < 4 && the_fake->counted[call] != 0 ? the_fake->counted[call] : BufferSize;
    }
    return answer;
}

static HRESULT STDMETHODCALLTYPE query_virtual(IDebugDataSpaces4 *This, ULONG64 Offset,
                                               MEMORY_BASIC_INFORMATION64 *Info)
{
    (void)This;
    memset(Info, 0, sizeof *Info);
    Info->BaseAddress = the_fake->sign_extends ? (uint64_t)(int64_t)(int32_t)Offset : Offset;
    Info->AllocationBase = Info->BaseAddress;
    Info->RegionSize = FAKE_MEMORY;
    Info->State = the_fake->memory_state;
    Info->Type = the_fake->memory_type;
    Info->Protect = the_fake->memory_protect;
    return the_fake->memory_state == 0 ? E_NOINTERFACE : S_OK;
}

static uint64_t now_ns(void)
{
    return clock_ns;
}

static bool step(void *context, uint64_t done, uint64_t total)
{
    fake_engine *fake = context;

    (void)total;
    if (fake->steps < FAKE_CALLS) {
        fake->step_done[fake->steps] = done;
    }
    fake->steps++;
    return fake->stop_at == 0 || (uint64_t)fake->steps < fake->stop_at;
}

static const IDebugControlVtbl control_vtbl = {.IsPointer64Bit = is_pointer64_bit};
static const IDebugDataSpaces4Vtbl spaces_vtbl = {.ReadVirtual = read_virtual,
                                                  .WriteVirtual = write_virtual,
                                                  .ReadPointersVirtual = read_pointers,
                                                  .WritePointersVirtual = write_pointers,
                                                  .QueryVirtual = query_virtual};

void fake_reset(fake_engine *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->control.lpVtbl = &control_vtbl;
    fake->spaces.lpVtbl = &spaces_vtbl;
    fake->target.control = &fake->control;
    fake->target.data_spaces = &fake->spaces;
    fake->base = 0x10000;
    fake->pace.step = step;
    fake->pace.now_ns = now_ns;
    fake->pace.context = fake;
    fake->pace.first_chunk = UINT64_MAX;
    fake->pace.chunk_ns = 50000000;
    clock_ns = 1;
    the_fake = fake;
}
