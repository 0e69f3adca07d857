/* Fuzzes the COM surface of the embedded engine over simulated memory: every method that is
 * implemented, with any arguments, must answer as Microsoft's contract and a simple model say. Only
 * EndAside is left out, which follows a BeginAside that has begun something: no simulated target
 * does (tests/unit/test_fuzz_corpus.py).
 */
#include <string.h>

#include "../../../csrc/com/control.h"
#include "../../../csrc/com/data_spaces.h"
#include "../../../csrc/com/hresult.h"
#include "../../../csrc/com/iids.h"
#include "../../../csrc/engines/embedded/client.h"
#include "model.h"

#define MOST_CALLS  12
#define MOST_RANGES 20u

/* DEBUG_STATUS_BREAK and DEBUG_STATUS_NO_DEBUGGEE of dbgeng.h. */
#define STATUS_BREAK       6u
#define STATUS_NO_DEBUGGEE 7u

static model now;
static unsigned char before[MODEL_MOST];
static IDebugClient5 *client;
static IDebugControl *control;
static IDebugDataSpaces4 *spaces;
static IPointerScatter *scatter;

static void *query(const GUID *id)
{
    void *found = NULL;

    FUZZ_CHECK(client->lpVtbl->QueryInterface(client, id, &found) == S_OK);
    return found;
}

/* An address in the window, or near its ends, or near those of all addresses. */
static uint64_t choose_address(fuzz_input *input)
{
    uint64_t how = fuzz_below(input, 16);

    if (how == 0) {
        return UINT64_MAX - fuzz_below(input, 20);
    }
    return now.base + fuzz_below(input, now.size + 16) - (how == 1 ? 16 : 0);
}

static ULONG choose_size(fuzz_input *input)
{
    static const ULONG most[] = {4, 20, 300, 9000, MODEL_MOST + 100};

    return (ULONG)fuzz_below(input, most[fuzz_below(input, 5)]);
}

/* Returns the number of bytes up to 2^64, `size` at most. */
static uint64_t before_wrap(uint64_t address, uint64_t size)
{
    uint64_t behind = UINT64_MAX - address;

    return size > 0 && size - 1 > behind ? behind + 1 : size;
}

/* What the target holds must be what the model holds. Faults are then gone. */
static void check_memory(void)
{
    static unsigned char held[MODEL_MOST];

    simulated_clear_faults(now.target);
    model_read_target(&now, held);
    for (size_t i = 0; i < now.size; i++) {
        FUZZ_CHECK(held[i] == now.bytes[i] || now.counted);
    }
    memcpy(now.bytes, held, now.size);
    model_clear_faults(&now);
}

static void model_write(uint64_t address, const unsigned char *data, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        size_t place;

        FUZZ_CHECK(model_place(&now, address + i, &place));
        now.bytes[place] = now.lost[place] != 0 ? now.bytes[place] : data[i];
    }
}

/* ReadVirtual and WriteVirtual: S_OK and a count if a byte was moved. A limit may shorten it. */
static void move_bytes(fuzz_input *input, bool writing)
{
    uint64_t address = choose_address(input), seed = fuzz_take(input, 1);
    ULONG size = choose_size(input), moved = 0xA5A5A5A5;
    bool uncounted = fuzz_below(input, 8) == 0, uncached = fuzz_flag(input);
    unsigned char *data = fuzz_memory(size);
    uint64_t leading = model_leading(&now, address, before_wrap(address, size), writing);
    HRESULT status;

    memset(data, 0xA5, size);
    for (ULONG i = 0; writing && i < size; i++) {
        data[i] = (unsigned char)fuzz_next(&seed);
    }
    if (writing) {
        status = (uncached ? spaces->lpVtbl->WriteVirtualUncached : spaces->lpVtbl->WriteVirtual)(
            spaces, address, data, size, uncounted ? NULL : &moved);
    } else {
        status = (uncached ? spaces->lpVtbl->ReadVirtualUncached : spaces->lpVtbl->ReadVirtual)(
            spaces, address, data, size, uncounted ? NULL : &moved);
    }
    if (size == 0) {
        FUZZ_CHECK(status == (writing ? E_INVALIDARG : S_OK));
    } else if (!now.counted) {
        FUZZ_CHECK((status == S_OK) == (leading > 0));
    }
    if (status == S_OK && !uncounted) {
        FUZZ_CHECK(moved <= size && (now.counted || moved <= leading));
        if (writing) {
            model_write(address, data, moved);
        } else {
            for (ULONG i = 0; i < moved; i++) {
                size_t place;

                FUZZ_CHECK(model_place(&now, address + i, &place) && data[i] == before[place]);
            }
        }
        for (ULONG i = moved; !writing && i < size; i++) {
            FUZZ_CHECK(data[i] == 0xA5);
        }
    } else if (status == S_OK && writing) {
        now.counted = true; /* how much was written is not known */
    }
    FUZZ_CHECK(status == S_OK || uncounted || moved == 0xA5A5A5A5);
    free(data);
}

static uint32_t width_now(void)
{
    HRESULT status = control->lpVtbl->IsPointer64Bit(control);

    FUZZ_CHECK(status == S_OK || status == S_FALSE);
    return status == S_OK ? 8 : 4;
}

/* ReadPointersVirtual and WritePointersVirtual: in order, each pointer whole. */
static void move_pointers(fuzz_input *input, bool writing)
{
    uint64_t address = choose_address(input), seed = fuzz_take(input, 1);
    uint32_t width = width_now();
    ULONG count = choose_size(input) / width, good = 0;
    uint64_t *pointers = fuzz_memory((size_t)count * 8);
    HRESULT status;

    memset(pointers, 0xA5, (size_t)count * 8);
    for (ULONG i = 0; writing && i < count; i++) {
        pointers[i] = fuzz_next(&seed);
    }
    while (good < count && before_wrap(address, (good + 1) * width) == (good + 1) * width &&
           model_leading(&now, address + (uint64_t)good * width, width, writing) == width) {
        good++;
    }
    status = (writing ? spaces->lpVtbl->WritePointersVirtual
                      : spaces->lpVtbl->ReadPointersVirtual)(spaces, count, address, pointers);
    FUZZ_CHECK(now.counted || (status == S_OK) == (good == count));
    for (ULONG i = 0; writing && !now.counted && i < good; i++) {
        model_write(address + (uint64_t)i * width, (const unsigned char *)&pointers[i], width);
    }
    for (ULONG i = 0; !writing && !now.counted && i < count; i++) {
        uint64_t wanted = i < good ? 0 : UINT64_C(0xA5A5A5A5A5A5A5A5);

        for (uint32_t b = 0; i < good && b < width; b++) {
            size_t place;

            FUZZ_CHECK(model_place(&now, address + (uint64_t)i * width + b, &place));
            wanted |= (uint64_t)before[place] << (8 * b);
        }
        /* All bits set is the one value that is sign-extended (observed, docs/engine.md). */
        wanted = width == 4 && wanted == UINT32_MAX ? UINT64_MAX : wanted;
        FUZZ_CHECK(pointers[i] == wanted);
    }
    if (writing && !now.counted && good < count &&
        model_leading(&now, address + (uint64_t)good * width, width, false) < width) {
        now.counted = true; /* a pointer that can't be read can't be put back either */
    }
    free(pointers);
}

static void fill(fuzz_input *input)
{
    uint64_t address = choose_address(input);
    ULONG size = choose_size(input), pattern_size = (ULONG)fuzz_below(input, 20), filled = 77;
    unsigned char *pattern = fuzz_memory(pattern_size), *data = fuzz_memory(size);
    uint64_t leading = model_leading(&now, address, before_wrap(address, size), true);
    HRESULT status;

    for (ULONG i = 0; i < pattern_size; i++) {
        pattern[i] = (unsigned char)fuzz_take(input, 1);
    }
    for (ULONG i = 0; pattern_size > 0 && i < size; i++) {
        data[i] = pattern[i % pattern_size];
    }
    status = spaces->lpVtbl->FillVirtual(spaces, address, size, pattern, pattern_size, &filled);
    if (pattern_size == 0) {
        FUZZ_CHECK(status == E_INVALIDARG && filled == 77);
    } else if (!now.counted) {
        FUZZ_CHECK((status == S_OK) == (size == 0 || leading > 0));
        FUZZ_CHECK(filled <= leading);
        model_write(address, data, filled);
    }
    free(data);
    free(pattern);
}

/* A search finds the first match that lies whole in readable memory. */
static void search(fuzz_input *input)
{
    uint64_t address = choose_address(input), match = 0, at, wanted = 0;
    ULONG granularity = (ULONG)fuzz_below(input, 10);
    ULONG size = granularity * (ULONG)fuzz_below(input, 4) + (fuzz_below(input, 16) == 0 ? 1 : 0);
    uint64_t length = choose_size(input);
    unsigned char *pattern = fuzz_memory(size);
    size_t from = (size_t)fuzz_below(input, now.size);
    bool found = false, good = granularity > 0 && size % granularity == 0;
    HRESULT status;

    for (ULONG i = 0; i < size; i++) { /* often one that is there */
        pattern[i] = from + i < now.size ? now.bytes[from + i] : 0;
    }
    status =
        spaces->lpVtbl->SearchVirtual(spaces, address, length, pattern, size, granularity, &match);
    length = before_wrap(address, length);
    for (at = 0; good && size > 0 && !found && length >= size && at <= length - size;
         at += granularity) {
        size_t place;

        found = model_place(&now, address + at, &place) &&
                model_leading(&now, address + at, size, false) == size &&
                memcmp(now.bytes + place, pattern, size) == 0;
        wanted = found ? address + at : 0;
    }
    if (!good) {
        FUZZ_CHECK(status == E_INVALIDARG);
    } else if (size == 0) {
        FUZZ_CHECK(status == S_OK && match == address);
    } else if (!now.counted) {
        FUZZ_CHECK(status == (found ? S_OK : HR_NOT_FOUND));
        FUZZ_CHECK(!found || match == wanted);
    }
    free(pattern);
}

/* QueryVirtual and the like: what they say of one address holds for all addresses of its answer. */
static void describe(fuzz_input *input)
{
    static const ULONG protections[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE};
    uint64_t address = choose_address(input), next = 0, valid = 0;
    MEMORY_BASIC_INFORMATION64 info;
    ULONG size = choose_size(input), valid_size = 0;
    HRESULT status = spaces->lpVtbl->QueryVirtual(spaces, address, &info);
    size_t place;

    if (model_place(&now, address, &place) && now.mapped[place] != 0) {
        FUZZ_CHECK(status == S_OK && info.State == MEM_COMMIT);
        FUZZ_CHECK(info.BaseAddress <= address && address - info.BaseAddress < info.RegionSize);
        for (uint64_t i = 0; i < info.RegionSize; i++) {
            FUZZ_CHECK(model_place(&now, info.BaseAddress + i, &place));
            FUZZ_CHECK(info.Protect == protections[now.protection[place]]);
        }
    } else {
        FUZZ_CHECK(status == E_NOINTERFACE || (status == S_OK && info.State == MEM_FREE));
        FUZZ_CHECK(status != S_OK || (info.BaseAddress <= address && info.RegionSize > 0 &&
                                      address - info.BaseAddress < info.RegionSize));
    }
    status = spaces->lpVtbl->GetNextDifferentlyValidOffsetVirtual(spaces, address, &next);
    FUZZ_CHECK(status == S_OK ? next > address && next % MODEL_PAGE == 0
                              : status == S_FALSE && address >= UINT64_MAX - (MODEL_PAGE - 1));
    FUZZ_CHECK(spaces->lpVtbl->GetValidRegionVirtual(spaces, address, size, &valid, &valid_size) ==
               S_OK);
    FUZZ_CHECK(valid_size <= size);
    for (ULONG i = 0; i < valid_size; i++) {
        FUZZ_CHECK(model_place(&now, valid + i, &place) && now.protection[place] != SIMULATED_NONE);
    }
}

/* IPointerScatter's ranges, in their order, up to the first byte that can't be moved. */
static void move_ranges(fuzz_input *input, bool writing)
{
    pointer_range ranges[MOST_RANGES];
    ULONG count = (ULONG)fuzz_below(input, MOST_RANGES + 1), done = 77, whole = 0;
    uint64_t seed = fuzz_take(input, 1);
    HRESULT status;

    for (ULONG i = 0; i < count; i++) {
        uint64_t address = choose_address(input);
        uint64_t size = before_wrap(address, fuzz_below(input, 40) + 1);
        unsigned char *data = fuzz_memory((size_t)size);

        for (uint64_t b = 0; b < size; b++) {
            data[b] = (unsigned char)fuzz_next(&seed);
        }
        ranges[i] = (pointer_range){address, data, size};
    }
    status = writing ? scatter->lpVtbl->WriteRanges(scatter, count, ranges, &done)
                     : scatter->lpVtbl->ReadRanges(scatter, count, ranges, &done);
    FUZZ_CHECK(done <= count && (status == S_OK) == (done == count));
    for (bool more = !now.counted; more && whole < count; whole += more ? 1 : 0) {
        const pointer_range *range = &ranges[whole];
        uint64_t leading = model_leading(&now, range->Offset, range->Size, writing);

        if (writing) {
            model_write(range->Offset, range->Data, leading);
        }
        more = leading == range->Size;
        for (uint64_t b = 0; !writing && more && b < range->Size; b++) {
            size_t place;

            FUZZ_CHECK(model_place(&now, range->Offset + b, &place) &&
                       ((const unsigned char *)range->Data)[b] == before[place]);
        }
    }
    FUZZ_CHECK(now.counted || whole == done);
    for (ULONG i = 0; i < count; i++) {
        free(ranges[i].Data);
    }
}

/* Parts of memory for a search: in order, and all that is left out is zeros. */
static void find_parts(fuzz_input *input)
{
    uint64_t end = now.base + now.size, at, spans_end = 0;
    bool zeros = fuzz_flag(input), more = true;
    pointer_part part;

    if (end == 0) { /* FindPart's end lies within the address space */
        end = UINT64_MAX;
    }
    at = now.base + fuzz_below(input, now.size - 1);
    FUZZ_CHECK(scatter->lpVtbl->GetSpanRegion(scatter, at, &spans_end) >= S_OK);
    FUZZ_CHECK(spans_end == 0 || spans_end > at);
    while (more && at < end) {
        more = scatter->lpVtbl->FindPart(scatter, at, end, zeros, &part) == S_OK;
        FUZZ_CHECK(!more || (part.Offset >= at && part.Offset < part.End && part.End <= end));
        for (uint64_t i = at; i < (more ? part.Offset : end); i++) {
            size_t place;

            FUZZ_CHECK(model_place(&now, i, &place) && now.bytes[place] == 0 && !zeros);
            FUZZ_CHECK(now.protection[place] != SIMULATED_NONE);
        }
        for (uint64_t i = part.Offset; more && i < part.End; i++) {
            size_t place;

            FUZZ_CHECK(model_place(&now, i, &place) && (now.protection[place] == SIMULATED_NONE) ==
                                                           (part.Kind == POINTER_PART_UNREADABLE));
        }
        at = more ? part.End : end;
    }
}

/* Identity, references, and the state of the target and its processor. */
static void ask(fuzz_input *input)
{
    static const GUID *const known[] = {&iid_unknown, &iid_debug_client, &iid_debug_control,
                                        &iid_debug_data_spaces4, &iid_pointer_scatter};
    const uint64_t which = fuzz_below(input, 6);
    ULONG machine = (ULONG)fuzz_take(input, 2), class = 0, qualifier = 0, type = 0, number = 0;
    uint32_t width = width_now();
    void *found = NULL;
    HRESULT status;

    if (which < 5) {
        GUID id = *known[which];

        FUZZ_CHECK(control->lpVtbl->QueryInterface(control, &id, &found) == S_OK);
        FUZZ_CHECK(client->lpVtbl->Release(client) > 0);
        id.Data4[fuzz_below(input, 8)] ^= 1;
        FUZZ_CHECK(spaces->lpVtbl->QueryInterface(spaces, &id, &found) == E_NOINTERFACE);
        FUZZ_CHECK(found == NULL);
        machine = which < 3 ? IMAGE_FILE_MACHINE_I386 : IMAGE_FILE_MACHINE_AMD64;
    }
    status = control->lpVtbl->SetEffectiveProcessorType(control, machine);
    FUZZ_CHECK(status == S_OK || (status == E_INVALIDARG && width_now() == width));
    FUZZ_CHECK(control->lpVtbl->GetEffectiveProcessorType(control, &type) == S_OK);
    FUZZ_CHECK(type == (width_now() == 8 ? IMAGE_FILE_MACHINE_AMD64 : IMAGE_FILE_MACHINE_I386));
    FUZZ_CHECK(control->lpVtbl->GetActualProcessorType(control, &type) == S_OK);
    FUZZ_CHECK(control->lpVtbl->GetDebuggeeType(control, &class, &qualifier) == S_OK);
    FUZZ_CHECK(class == DEBUG_CLASS_USER_WINDOWS);
    FUZZ_CHECK(control->lpVtbl->SetInterrupt(control, machine) ==
               (machine <= 2 ? S_OK : E_INVALIDARG));
    FUZZ_CHECK(control->lpVtbl->WaitForEvent(control, 0, 0) == E_UNEXPECTED);
    FUZZ_CHECK(control->lpVtbl->GetPageSize(control, &number) == S_OK && number == MODEL_PAGE);
    FUZZ_CHECK(control->lpVtbl->GetExecutionStatus(control, &number) == S_OK);
    FUZZ_CHECK(number == STATUS_BREAK);
    FUZZ_CHECK(control->lpVtbl->GetPageSize(control, NULL) == E_POINTER);
    FUZZ_CHECK(control->lpVtbl->GetExecutionStatus(control, NULL) == E_POINTER);
    FUZZ_CHECK(control->lpVtbl->GetActualProcessorType(control, NULL) == E_POINTER);
    FUZZ_CHECK(control->lpVtbl->GetDebuggeeType(control, NULL, &qualifier) == E_POINTER);
    FUZZ_CHECK(scatter->lpVtbl->IsStopped(scatter) == S_OK);
    FUZZ_CHECK(scatter->lpVtbl->GetGranule(scatter, &number) == S_OK && number == 1);
    FUZZ_CHECK(scatter->lpVtbl->AddRef(scatter) == scatter->lpVtbl->Release(scatter) + 1);
}

/* Physical memory is a kernel's, which no target of this engine is. */
static void move_physical(fuzz_input *input)
{
    uint64_t address = choose_address(input);
    ULONG size = choose_size(input), moved = 77;
    unsigned char *data = fuzz_memory(size);

    memset(data, 0xA5, size);
    FUZZ_CHECK(spaces->lpVtbl->WritePhysical(spaces, address, data, size, &moved) == E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->ReadPhysical(spaces, address, data, size, &moved) == E_UNEXPECTED);
    FUZZ_CHECK(moved == 77);
    for (ULONG i = 0; i < size; i++) {
        FUZZ_CHECK(data[i] == 0xA5);
    }
    free(data);
}

/* WriteNarrowPointers: what is said to be written is, and nothing else. */
static void write_narrow(fuzz_input *input)
{
    uint64_t address = choose_address(input), seed = fuzz_take(input, 1), done = UINT64_MAX;
    uint64_t count = before_wrap(address, choose_size(input)) / 4;
    bool check = fuzz_flag(input);
    unsigned char *pointers = fuzz_memory((size_t)count * 8);

    for (uint64_t i = 0; i < count * 8; i++) {
        pointers[i] = i % 8 < 4 ? (unsigned char)fuzz_next(&seed) : 0;
    }
    if (count > 0 && check) {
        pointers[fuzz_below(input, count) * 8 + 7] = (unsigned char)fuzz_take(input, 1);
    }
    FUZZ_CHECK(scatter->lpVtbl->WriteNarrowPointers(scatter, address, pointers, count, check,
                                                    &done) == S_OK);
    FUZZ_CHECK(done <= count);
    for (uint64_t i = 0; i < done; i++) {
        model_write(address + i * 4, pointers + i * 8, 4);
    }
    free(pointers);
}

/* CountEqualBytes: bytes that are said to be equal are. */
static void count_equal(fuzz_input *input)
{
    uint64_t address = choose_address(input), equal = UINT64_MAX;
    uint64_t size = before_wrap(address, choose_size(input));
    unsigned char *data = fuzz_memory((size_t)size);

    for (uint64_t i = 0; i < size; i++) {
        size_t place;

        data[i] = model_place(&now, address + i, &place) ? before[place] : 0;
    }
    if (size > 0 && fuzz_flag(input)) {
        data[fuzz_below(input, size)] ^= 1;
    }
    FUZZ_CHECK(scatter->lpVtbl->CountEqualBytes(scatter, address, data, size, &equal) == S_OK);
    FUZZ_CHECK(equal <= size);
    for (uint64_t i = 0; i < equal; i++) {
        size_t place;

        FUZZ_CHECK(model_place(&now, address + i, &place) && data[i] == before[place]);
        FUZZ_CHECK(now.protection[place] != SIMULATED_NONE);
    }
    free(data);
}

static bool never_do(void *context, const pointer_mover *mover, void *room, ULONG64 first,
                     ULONG64 past)
{
    (void)context;
    (void)mover;
    (void)room;
    (void)first;
    (void)past;
    FUZZ_CHECK(false);
    return false;
}

static void never_call(void *context)
{
    (void)context;
    FUZZ_CHECK(false);
}

static void never_take(void *context, ULONG block, const void *data, size_t size)
{
    (void)context;
    (void)block;
    (void)data;
    (void)size;
    FUZZ_CHECK(false);
}

/* Where a process's memory is moved by several threads, the caller does all for simulated memory.
 */
static void share(fuzz_input *input)
{
    uint64_t count = fuzz_below(input, 300), from = choose_address(input), done = UINT64_MAX;
    uint64_t *addresses = fuzz_memory((size_t)count * 8);
    shared_work work = {.addresses = (const unsigned char *)addresses,
                        .stride = 8,
                        .count = count,
                        .part_pages = (ULONG)fuzz_take(input, 1),
                        .writing = fuzz_flag(input),
                        .room_size = (size_t)fuzz_take(input, 1),
                        .do_part = never_do};
    pointer_block block = {from, (ULONG)before_wrap(from, fuzz_below(input, 300) + 1), true};

    for (uint64_t i = 0; i < count; i++) {
        addresses[i] = from + i * 8;
    }
    FUZZ_CHECK(scatter->lpVtbl->ShareByPages(scatter, &work, &done) == S_OK && done == 0);
    FUZZ_CHECK(scatter->lpVtbl->BeginAside(scatter, never_call, NULL) == S_FALSE);
    FUZZ_CHECK(scatter->lpVtbl->ReadBlocks(scatter, 1, &block, never_take, NULL) == S_OK);
    free(addresses);
}

/* A target that runs, or has ended, refuses all that needs it. */
static void refuse(void)
{
    unsigned char byte = 0xA5;
    uint64_t pointer = 7, match = 7;
    ULONG count = 7, class = 7, qualifier = 7, status = 7777, done = 7;
    MEMORY_BASIC_INFORMATION64 info;
    pointer_range range = {now.base, &byte, 1};
    pointer_block block = {now.base, 1, false};
    pointer_part part;

    FUZZ_CHECK(spaces->lpVtbl->ReadVirtual(spaces, now.base, &byte, 1, &count) == E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->WriteVirtual(spaces, now.base, &byte, 1, &count) == E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->ReadPointersVirtual(spaces, 1, now.base, &pointer) == E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->WritePointersVirtual(spaces, 1, now.base, &pointer) == E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->FillVirtual(spaces, now.base, 1, &byte, 1, &count) == E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->SearchVirtual(spaces, now.base, 1, &byte, 1, 1, &match) ==
               E_UNEXPECTED);
    FUZZ_CHECK(spaces->lpVtbl->QueryVirtual(spaces, now.base, &info) == E_UNEXPECTED);
    FUZZ_CHECK(control->lpVtbl->IsPointer64Bit(control) == E_UNEXPECTED);
    FUZZ_CHECK(control->lpVtbl->GetPageSize(control, &count) == E_UNEXPECTED);
    FUZZ_CHECK(control->lpVtbl->GetDebuggeeType(control, &class, &qualifier) == S_OK);
    FUZZ_CHECK(class == DEBUG_CLASS_UNINITIALIZED);
    FUZZ_CHECK(control->lpVtbl->GetExecutionStatus(control, &status) == S_OK);
    FUZZ_CHECK(status == STATUS_NO_DEBUGGEE);
    FUZZ_CHECK(scatter->lpVtbl->WriteRanges(scatter, 1, &range, &done) == E_UNEXPECTED);
    FUZZ_CHECK(scatter->lpVtbl->ReadRanges(scatter, 1, &range, &done) == E_UNEXPECTED && done == 0);
    FUZZ_CHECK(scatter->lpVtbl->GetSpanRegion(scatter, now.base, &match) == E_UNEXPECTED);
    FUZZ_CHECK(scatter->lpVtbl->FindPart(scatter, now.base, now.base + 1, true, &part) ==
               E_UNEXPECTED);
    FUZZ_CHECK(scatter->lpVtbl->ReadBlocks(scatter, 1, &block, never_take, NULL) == E_UNEXPECTED);
    FUZZ_CHECK(byte == 0xA5 && pointer == 7 && match == 7 && count == 7);
}

static void one_call(fuzz_input *input)
{
    uint64_t which = fuzz_below(input, 16);

    memcpy(before, now.bytes, now.size);
    if (fuzz_below(input, 3) == 0) {
        model_set_faults(&now, input);
        if (which >= 12 || which == 4 || which == 5) {
            model_clear_faults(&now); /* these are about regions, or move all at once */
        }
    }
    if (which < 4) {
        move_bytes(input, which % 2 == 0);
    } else if (which < 6) {
        move_ranges(input, which % 2 == 0);
    } else if (which < 9) {
        move_pointers(input, which % 2 == 0);
    } else if (which == 9) {
        fill(input);
    } else if (which < 12) {
        search(input);
    } else if (which == 12) {
        describe(input);
    } else if (which == 13) {
        find_parts(input);
    } else if (which == 14) {
        ask(input);
        move_physical(input);
        write_narrow(input);
        count_equal(input);
        share(input);
    } else {
        simulated_run(now.target, true);
        refuse();
        simulated_run(now.target, false);
    }
    check_memory();
}

/* Ends the session in one of several ways, which can be repeated; False: that way is refused. */
static bool end(ULONG how)
{
    HRESULT status;

    if (how == 5) {
        status = client->lpVtbl->TerminateProcesses(client);
    } else if (how == 6) {
        status = client->lpVtbl->DetachProcesses(client);
    } else {
        status = client->lpVtbl->EndSession(client, how);
        FUZZ_CHECK(status == (how <= 2 || how == 4 ? S_OK : E_INVALIDARG));
        return status == S_OK;
    }
    FUZZ_CHECK(status == S_OK);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint64_t flags = fuzz_take(&input, 1);

    model_create(&now, &input, flags & 1 ? 4 : 8);
    client = embedded_client_create(now.target);
    FUZZ_CHECK(client != NULL);
    control = query(&iid_debug_control);
    spaces = query(&iid_debug_data_spaces4);
    scatter = query(&iid_pointer_scatter);
    if (flags & 2) {
        model_fill(&now, flags, (flags & 4) != 0);
    }
    for (int i = 0; i < MOST_CALLS && input.left > 0; i++) {
        one_call(&input);
    }
    if (flags & 8) {
        bool ended = end((ULONG)(flags >> 4));

        if (ended) {
            refuse();
            FUZZ_CHECK(end((ULONG)fuzz_below(&input, 2))); /* again */
            refuse();
        }
    }
    FUZZ_CHECK(scatter->lpVtbl->Release(scatter) == 3);
    FUZZ_CHECK(spaces->lpVtbl->Release(spaces) == 2);
    FUZZ_CHECK(control->lpVtbl->Release(control) == 1);
    FUZZ_CHECK(client->lpVtbl->Release(client) == 0);
    return 0;
}
