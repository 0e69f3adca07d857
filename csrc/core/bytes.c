/* Writing and reading plain bytes by WriteVirtual and ReadVirtual; see bytes.h. */
#include "bytes.h"

#include <string.h>

#include "chunk.h"
#include "read_back.h"

bool core_begin_bytes(const core_target *target, uint64_t address, uint64_t size, core_error *error)
{
    memset(error, 0, sizeof *error);
    error->address = address;
    error->count = size;
    /* WriteVirtual refuses size 0 with E_INVALIDARG, with or without a target. That nothing can be
     * written without a target is said by IsPointer64Bit. */
    (void)core_pointer_size(target, error);
    error->width = 1;
    if (error->status == CORE_OK && core_range_wraps(address, size, 1)) {
        error->status = CORE_WRAPS;
    }
    return error->status == CORE_OK;
}

core_status core_write_bytes(const core_target *target, uint64_t address, const unsigned char *data,
                             uint64_t size, const core_pace *pace, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t chunk = core_chunk_first(pace, size);
    uint64_t started = 0;
    bool more = core_begin_bytes(target, address, size, error) && size > 0;

    started = core_chunk_start(pace, size, chunk);
    while (more) {
        ULONG written = 0;
        /* Microsoft's declaration takes Buffer as [in] but without const. */
        void *part = (void *)(uintptr_t)(data + error->done);
        HRESULT status = spaces->lpVtbl->WriteVirtual(spaces, address + error->done, part,
                                                      (ULONG)chunk, &written);

        if (status == S_OK && written > 0 && written <= chunk) {
            error->done += written; /* perhaps less than the chunk: the rest is tried from there */
        } else {
            core_engine_error(error, "WriteVirtual", status == S_OK ? E_FAIL : status);
        }
        more = error->status == CORE_OK && core_chunk_next(pace, size, &chunk, &started, error);
    }
    if (error->status == CORE_ENGINE) {
        error->known = core_count_bytes(target, address, data, size, &error->landed);
    }
    return error->status;
}

core_status core_read_bytes(const core_target *target, uint64_t address, unsigned char *to,
                            uint64_t size, const core_pace *pace, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t chunk = core_chunk_first(pace, size);
    uint64_t started = 0;
    bool more = core_begin_bytes(target, address, size, error) && size > 0;

    started = core_chunk_start(pace, size, chunk);
    while (more) {
        ULONG read = 0;
        HRESULT status = spaces->lpVtbl->ReadVirtual(spaces, address + error->done,
                                                     to + error->done, (ULONG)chunk, &read);

        if (status == S_OK && read > 0 && read <= chunk) {
            error->done += read;
        } else {
            core_engine_error(error, "ReadVirtual", status == S_OK ? E_FAIL : status);
        }
        more = error->status == CORE_OK && core_chunk_next(pace, size, &chunk, &started, error);
    }
    if (error->status == CORE_ENGINE) {
        error->known = core_count_readable(target, address, size, &error->landed);
    }
    return error->status;
}
