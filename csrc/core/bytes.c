/* Plain bytes; see bytes.h. */
#include "bytes.h"

#include "read_back.h"

void core_write_bytes(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    core_chunks chunks = core_chunks_begin(pace, error->count);
    bool more = error->count > 0;

    while (more) {
        ULONG written = 0;
        /* Microsoft's declaration takes Buffer as [in] but without const. */
        void *part = (void *)(uintptr_t)(request->values.first + error->done);
        HRESULT status = spaces->lpVtbl->WriteVirtual(spaces, request->address + error->done, part,
                                                      (ULONG)chunks.size, &written);

        if (status == S_OK && written > 0 && written <= chunks.size) {
            error->done += written; /* may be less than the chunk: the next call starts there */
        } else {
            core_engine_error(error, "WriteVirtual", status == S_OK ? E_FAIL : status);
        }
        more = error->status == CORE_OK && core_chunks_next(&chunks, error);
    }
}

void core_read_bytes(const core_target *target, const core_request *request, const core_pace *pace,
                     core_error *error)
{
    core_chunks chunks = core_chunks_begin(pace, error->count);
    bool more = error->count > 0;

    while (more) {
        unsigned char *part = (unsigned char *)request->to + error->done;

        error->done +=
            core_get_bytes(target, request->address + error->done, part, chunks.size, error);
        more = error->status == CORE_OK && core_chunks_next(&chunks, error);
    }
    if (error->status == CORE_ENGINE) {
        error->known = core_count_readable(target, request->address, error->count, &error->landed);
    }
}
