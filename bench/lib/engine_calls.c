/* The baseline on Windows: the engine's own calls, made from C with nothing around them.
 *
 * A small library that bench/run_windows.py builds and loads. Each function makes the same call
 * `calls` times on an interface pointer that it is given, and times itself, so that no caller's
 * overhead is counted. It returns nanoseconds for all of them, or minus the HRESULT (as an unsigned
 * number) of one that was not S_OK.
 */
#include <stdint.h>

#include "../../csrc/com/data_spaces.h"

static int64_t ticks(void)
{
    LARGE_INTEGER now;

    QueryPerformanceCounter(&now);
    return now.QuadPart;
}

static int64_t ns_since(int64_t started)
{
    LARGE_INTEGER frequency;
    int64_t took = ticks() - started;

    QueryPerformanceFrequency(&frequency);
    return (int64_t)((double)took * 1e9 / (double)frequency.QuadPart);
}

__declspec(dllexport) int64_t timed_write_pointers(IDebugDataSpaces4 *spaces, uint32_t count,
                                                   uint64_t offset, uint64_t *ptrs, int32_t calls)
{
    HRESULT answer = S_OK;
    int64_t started = ticks();

    for (int32_t i = 0; i < calls && answer == S_OK; i++) {
        answer = spaces->lpVtbl->WritePointersVirtual(spaces, count, offset, ptrs);
    }
    return answer == S_OK ? ns_since(started) : -(int64_t)(uint32_t)answer;
}

__declspec(dllexport) int64_t timed_write_bytes(IDebugDataSpaces4 *spaces, uint64_t offset,
                                                void *data, uint32_t size, int32_t calls)
{
    HRESULT answer = S_OK;
    int64_t started = ticks();

    for (int32_t i = 0; i < calls && answer == S_OK; i++) {
        ULONG written = 0;

        answer = spaces->lpVtbl->WriteVirtual(spaces, offset, data, size, &written);
    }
    return answer == S_OK ? ns_since(started) : -(int64_t)(uint32_t)answer;
}

/* Reads `size` bytes in blocks into `room`, which holds one. */
__declspec(dllexport) int64_t timed_read_blocks(IDebugDataSpaces4 *spaces, uint64_t offset,
                                                uint64_t size, void *room, uint32_t block)
{
    HRESULT answer = S_OK;
    int64_t started = ticks();

    for (uint64_t done = 0; done < size && answer == S_OK; done += block) {
        uint32_t part = size - done < block ? (uint32_t)(size - done) : block;
        ULONG moved = 0;

        answer = spaces->lpVtbl->ReadVirtual(spaces, offset + done, room, part, &moved);
        answer = answer == S_OK && moved != part ? E_FAIL : answer;
    }
    return answer == S_OK ? ns_since(started) : -(int64_t)(uint32_t)answer;
}

__declspec(dllexport) int64_t timed_write_each(IDebugDataSpaces4 *spaces, uint32_t count,
                                               const uint64_t *offsets, uint64_t *ptrs)
{
    HRESULT answer = S_OK;
    int64_t started = ticks();

    for (uint32_t i = 0; i < count && answer == S_OK; i++) {
        ULONG written = 0;

        answer = spaces->lpVtbl->WriteVirtual(spaces, offsets[i], &ptrs[i], 8, &written);
    }
    return answer == S_OK ? ns_since(started) : -(int64_t)(uint32_t)answer;
}
