/* Reading pointers by ReadVirtual; see bulk.h.
 *
 * ReadVirtual may give less than it was asked for and say S_OK, and end inside a pointer. A remote
 * server's changes the rest of the buffer that it was given, too (docs/engine.md). So what the
 * caller wants to keep behind a failure is read by way of memory in between, and whole pointers are
 * taken over; only where the engine is known to stop at the boundary of a page, and no pointer lies
 * across one, is the caller's memory filled itself.
 */
#include "bulk.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "read_back.h"

/* Bytes in between: few enough to stay in a processor's own cache, and enough that the calls of a
 * genuine engine, some tens of microseconds each, are lost among what they move. */
#define BETWEEN_BYTES 524288u

/* Reads `size` bytes to `to`. Gives how many came; anything but all of them is in *error. */
static uint64_t get_bytes(const core_target *target, uint64_t address, unsigned char *to,
                          uint64_t size, core_error *error)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    uint64_t done = 0;

    while (error->status == CORE_OK && done < size) {
        ULONG wanted = (ULONG)(size - done);
        ULONG read = 0;
        HRESULT status =
            spaces->lpVtbl->ReadVirtual(spaces, address + done, to + done, wanted, &read);

        if (status == S_OK && read > 0 && read <= wanted) {
            done += read;
        } else {
            /* All or nothing, as Wine's ReadProcessMemory: smaller calls find what can be read. */
            (void)core_read_leading(target, address + done, to + done, wanted, &read);
            done += read;
            core_engine_error(error, "ReadVirtual", status == S_OK ? E_FAIL : status);
        }
    }
    return done;
}

/* The same by way of `between`, pointers of error->width bytes, zero-extended: true where all
 * `count` came. Those before a failure are taken over too. */
static bool get_pointers(const core_target *target, uint64_t address, uint64_t count, uint64_t *to,
                         unsigned char *between, core_error *error)
{
    uint32_t width = error->width;
    uint64_t most = BETWEEN_BYTES / width;
    bool good = true;

    for (uint64_t done = 0; good && done < count; done += most) {
        uint64_t run = count - done < most ? count - done : most;
        uint64_t where = address + done * width;
        uint64_t came = get_bytes(target, where, between, run * width, error) / width;

        if (width == 8) {
            memcpy(to + done, between, (size_t)(came * 8));
        } else {
            for (uint64_t i = 0; i < came; i++) {
                uint32_t narrow;

                memcpy(&narrow, between + i * 4, sizeof narrow);
                to[done + i] = narrow;
            }
        }
        good = came == run;
    }
    return good;
}

core_status core_read_bulk(const core_target *target, uint64_t address, uint64_t count,
                           uint64_t *to, bool fresh, const core_pace *pace, core_error *error)
{
    core_pace limited = core_bulk_pace(target, pace);
    unsigned char *between = NULL;
    uint64_t chunk, started;
    bool direct, more = count > 0;

    if (!core_begin_pointers(target, address, count, error) || count == 0) {
        goto done;
    }
    direct = error->width == 8 &&
             (fresh || (target->scatter != NULL && !core_put_needs_buffer(target, address, 8)));
    if (!direct) {
        uint64_t size = count < BETWEEN_BYTES / error->width ? count * error->width : BETWEEN_BYTES;

        between = malloc((size_t)size);
        if (between == NULL) {
            core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
            goto done;
        }
    }
    chunk = core_chunk_first(&limited, count);
    started = core_chunk_start(&limited, count, chunk);
    while (more) {
        uint64_t where = address + error->done * error->width;
        uint64_t *part = to + error->done;
        bool good =
            direct ? get_bytes(target, where, (unsigned char *)part, chunk * 8, error) == chunk * 8
                   : get_pointers(target, where, chunk, part, between, error);

        error->done += good ? chunk : 0;
        more = good && core_chunk_next(&limited, count, &chunk, &started, error);
    }
    if (error->status == CORE_ENGINE) {
        uint64_t readable = 0;

        error->known = core_count_readable(target, address, count * error->width, &readable);
        error->landed = readable / error->width;
    }
done:
    free(between);
    return error->status;
}
