/* Writing pointers by WriteVirtual; see bulk.h, and bulk_read.c for reading.
 *
 * WriteVirtual may write less than it was asked to and say S_OK, fail and still count bytes, or
 * fail and leave the count alone (docs/engine.md). Only what it counts is taken as written; where
 * it counts nothing, smaller calls find the first pointer that can't be written.
 *
 * A call that ends inside a pointer would tear it where the rest then fails. Aligned pointers can't
 * lie across a boundary of access, which is a page's. Where others may, the memory is read before
 * it is written, and the bytes of a torn pointer are put back. Where it can't be read, each pointer
 * goes by WritePointersVirtual.
 */
#include "bulk.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "read_back.h"

/* Access can change at a page's boundary, where an engine does not say otherwise. */
#define USUAL_GRANULE 4096u

/* Pointers of a first chunk, 8 KiB, before it is known how long an engine takes; and how much
 * larger the second may be. A line that takes a second for the first is still asked once a second.
 */
#define FIRST_CHUNK       1024u
#define FIRST_CHUNK_LOCAL 131072u /* 1 MiB, which no such engine takes 50 ms for */
#define CHUNK_GROWTH      256u

/* Bytes guarded at a time. */
#define PIECE_BYTES 131072u

/* Bytes gathered or narrowed at a time: enough for an engine to share a write among processors, and
 * for a million narrow pointers to need no pass over the caller's memory but one. */
#define PACKED_BYTES (UINT64_C(4) << 20)

struct bulk_buffer {
    unsigned char old[PIECE_BYTES]; /* what the target held before */
};

bulk_buffer *core_bulk_buffer_create(void)
{
    return malloc(sizeof(bulk_buffer));
}

void core_bulk_buffer_free(bulk_buffer *buffer)
{
    free(buffer);
}

bool core_put_needs_buffer(const core_target *target, uint64_t address, uint32_t width)
{
    ULONG granule = USUAL_GRANULE;

    if (target->scatter != NULL &&
        target->scatter->lpVtbl->GetGranule(target->scatter, &granule) != S_OK) {
        granule = 1;
    }
    return granule % width != 0 || address % width != 0;
}

/* Half of what failed, ending with a whole pointer: at least the rest of the one at `at`. */
static uint64_t smaller(uint64_t at, uint64_t wanted, uint32_t width)
{
    uint64_t rest = width - at % width;
    uint64_t half = wanted / 2;
    uint64_t beyond = (at + half) % width;

    return half > rest ? half - beyond : rest;
}

/* Bytes up to the first that WriteVirtual refuses, which may be inside a pointer. */
static bulk_outcome put_bytes(const core_target *target, uint64_t address,
                              const unsigned char *data, uint64_t size, uint32_t width)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    bulk_outcome outcome = {S_OK, "WriteVirtual", 0};
    uint64_t step = size;

    while (outcome.status == S_OK && outcome.done < size) {
        uint64_t left = size - outcome.done;
        ULONG wanted = (ULONG)(left < step ? left : step);
        ULONG written = 0;
        /* Microsoft's declaration takes Buffer as [in] but without const. */
        void *part = (void *)(uintptr_t)(data + outcome.done);
        HRESULT status =
            spaces->lpVtbl->WriteVirtual(spaces, address + outcome.done, part, wanted, &written);

        if (written > wanted) {
            written = 0; /* no count at all */
        }
        if (status == E_UNEXPECTED || (status > 0 && written == 0)) {
            outcome.status = status; /* the target has gone; a dump, which says no so */
        } else if (written > 0) {
            outcome.done += written;
        } else if (wanted > width - outcome.done % width) {
            step = smaller(outcome.done, wanted, width);
        } else {
            outcome.status = status == S_OK ? E_FAIL : status;
        }
    }
    return outcome;
}

/* A kernel's WritePointersVirtual may write the part of a pointer that can be: put back what is
 * known of the bytes that were there. */
static void restore_part(const core_target *target, uint64_t address, const unsigned char *old,
                         uint64_t size, uint32_t width)
{
    unsigned char now[sizeof(uint64_t)];
    ULONG read = 0;

    if (core_read_leading(target, address, now, (ULONG)size, &read) && read == size &&
        memcmp(now, old, (size_t)size) != 0) {
        (void)put_bytes(target, address, old, size, width);
    }
}

/* Up to PIECE_BYTES, whole pointers or nothing of them. */
static bulk_outcome put_guarded(const core_target *target, uint64_t address,
                                const unsigned char *data, uint64_t size, uint32_t width,
                                bulk_buffer *buffer)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    bulk_outcome outcome = {S_OK, "WriteVirtual", 0};
    ULONG held = 0;

    if (!core_read_leading(target, address, buffer->old, (ULONG)size, &held)) {
        outcome.status = E_UNEXPECTED;
    } else if (held < size) {
        /* Pointer by pointer, so that it is known how many went. */
        outcome.method = "WritePointersVirtual";
        while (outcome.status == S_OK && outcome.done < size) {
            uint64_t pointer = 0;

            memcpy(&pointer, data + outcome.done, width);
            outcome.status =
                spaces->lpVtbl->WritePointersVirtual(spaces, 1, address + outcome.done, &pointer);
            outcome.done += outcome.status == S_OK ? width : 0;
        }
        if (outcome.status != S_OK && held > outcome.done && held - outcome.done < width) {
            restore_part(target, address + outcome.done, buffer->old + outcome.done,
                         held - outcome.done, width);
        }
    } else {
        uint64_t torn;

        outcome = put_bytes(target, address, data, size, width);
        torn = outcome.done % width;
        if (torn > 0) {
            uint64_t from = outcome.done - torn;

            (void)put_bytes(target, address + from, buffer->old + from, torn, width);
            outcome.done = from;
        }
    }
    return outcome;
}

bulk_outcome core_put(const core_target *target, uint64_t address, const void *data, uint64_t size,
                      uint32_t width, bulk_buffer *buffer)
{
    bulk_outcome outcome = {S_OK, "WriteVirtual", 0};

    if (buffer == NULL) {
        outcome = put_bytes(target, address, data, size, width);
        outcome.done -= outcome.done % width;
    }
    while (buffer != NULL && outcome.status == S_OK && outcome.done < size) {
        uint64_t left = size - outcome.done;
        bulk_outcome part =
            put_guarded(target, address + outcome.done, (const unsigned char *)data + outcome.done,
                        left < PIECE_BYTES ? left : PIECE_BYTES, width, buffer);

        outcome.status = part.status;
        outcome.method = part.method;
        outcome.done += part.done;
    }
    return outcome;
}

/* A request under way. */
typedef struct bulk_job {
    const core_target *target;
    const pointer_view *view;
    uint64_t address;
    bool check;            /* values for a 32-bit target must fit */
    unsigned char *packed; /* NULL: the caller's memory itself is written */
    uint64_t room;         /* pointers that fit in there */
    bool whole;            /* they are all in there already */
    bulk_buffer *buffer;   /* NULL: no pointer can be torn */
    core_error *error;
} bulk_job;

/* One chunk. Gives how many pointers are in place; anything but all of them is in *error. */
static uint64_t write_chunk(const bulk_job *job, uint64_t from, uint64_t count)
{
    core_error *error = job->error;
    uint32_t width = error->width;
    uint64_t done = job->whole ? 0
                               : core_write_by_engine(job->target, job->address, job->view, from,
                                                      count, width, job->check);

    while (error->status == CORE_OK && done < count) {
        uint64_t at = from + done;
        uint64_t run = count - done;
        uint64_t ready = run;
        const void *data = job->packed;
        bulk_outcome outcome;

        if (job->packed == NULL) {
            data = pointer_view_at(job->view, at);
        } else if (job->whole) {
            data = job->packed + at * width;
        } else {
            run = run < job->room ? run : job->room;
            ready = pointer_view_pack(job->view, at, run, width, job->check, job->packed,
                                      &error->value);
        }
        outcome = core_put(job->target, job->address + at * width, data, ready * width, width,
                           job->buffer);
        done += outcome.done / width;
        if (outcome.status != S_OK) {
            core_engine_error(error, outcome.method, outcome.status);
        } else if (ready < run) { /* the caller's memory has changed since it was checked */
            error->status = CORE_POINTER_RANGE;
            error->index = from + done;
        }
    }
    return done;
}

/* Memory for what can't be written as it lies, and the check of all values before the engine is
 * entered: in one pass where all of them fit in that memory. False: the request ends here. */
static bool prepare(bulk_job *job, const core_pace *pace)
{
    core_error *error = job->error;
    uint64_t count = job->view->count;
    uint32_t width = error->width;
    bool direct = width == 8 && pointer_view_is_direct(job->view);
    /* Of a request of twice what that takes, most comes in chunks that are large enough. */
    bool by_engine = core_engine_narrows(job->target, job->view, count / 2, width);
    bool good = true;

    if (!direct) {
        job->room = count < PACKED_BYTES / width ? count : PACKED_BYTES / width;
        job->packed = malloc((size_t)(job->room * width));
        good = job->packed != NULL;
    }
    if (good && core_put_needs_buffer(job->target, job->address, width)) {
        job->buffer = core_bulk_buffer_create();
        good = job->buffer != NULL;
    }
    if (!good) {
        core_engine_error(error, "WriteVirtual", E_OUTOFMEMORY);
    } else if (job->packed != NULL && job->room == count && !by_engine) {
        error->index =
            pointer_view_pack(job->view, 0, count, width, job->check, job->packed, &error->value);
        job->whole = error->index == count;
        error->status = job->whole ? CORE_OK : CORE_POINTER_RANGE;
    } else if (job->check) {
        (void)core_check_values(job->view, pace, error);
    }
    error->known = error->status != CORE_OK; /* nothing was written */
    return error->status == CORE_OK;
}

core_pace core_bulk_pace(const core_target *target, const core_pace *pace)
{
    core_pace bulk = *pace;

    bulk.most = CORE_MOST_POINTERS;
    if (target->scatter == NULL) {
        uint64_t first = target->local ? FIRST_CHUNK_LOCAL : FIRST_CHUNK;

        bulk.first_chunk = pace->first_chunk > first ? pace->first_chunk : first;
        bulk.growth = CHUNK_GROWTH;
    }
    return bulk;
}

core_status core_write_bulk(const core_target *target, uint64_t address, const pointer_view *view,
                            bool truncate, const core_pace *pace, core_error *error)
{
    bulk_job job = {.target = target, .view = view, .address = address, .error = error};
    uint64_t count = view->count;
    core_pace limited = core_bulk_pace(target, pace);
    uint64_t chunk, started;
    bool more = true;

    if (!core_begin_pointers(target, address, count, error) || count == 0) {
        goto done;
    }
    job.check = error->width == 4 && !truncate;
    if (!prepare(&job, pace)) {
        goto done;
    }
    chunk = core_chunk_first(&limited, count);
    started = core_chunk_start(&limited, count, chunk);
    while (more) {
        error->done += write_chunk(&job, error->done, chunk);
        more =
            error->status == CORE_OK && core_chunk_next(&limited, count, &chunk, &started, error);
    }
    if (error->status == CORE_ENGINE || error->status == CORE_POINTER_RANGE) {
        error->known = core_count_pointers(target, address, view, error->width, &error->landed);
        core_limit_landed(error);
    }
done:
    core_bulk_buffer_free(job.buffer);
    free(job.packed);
    return error->status;
}
