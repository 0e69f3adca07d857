/* Scattered pointers in the caller's order, runs of neighbours as one range; see scattered.h. */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "../chunk.h"

/* Elements gathered at a time. */
#define RUN SCATTERED_RUN

struct ordered_room {
    uint64_t addresses[RUN];
    unsigned char packed[RUN * 8];
    pointer_range ranges[RUN];
    bulk_buffer *buffer;
};

ordered_room *scattered_room_create(void)
{
    ordered_room *room = calloc(1, sizeof *room);

    if (room != NULL) {
        room->buffer = core_bulk_buffer_create();
        if (room->buffer == NULL) {
            free(room);
            room = NULL;
        }
    }
    return room;
}

void scattered_room_free(ordered_room *room)
{
    if (room != NULL) {
        core_bulk_buffer_free(room->buffer);
        free(room);
    }
}

static HRESULT move_range(const core_target *target, bool writing, const pointer_range *range)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    unsigned char *data = range->Data;
    HRESULT status = S_OK;

    for (uint64_t done = 0; status == S_OK && done < range->Size;) {
        ULONG wanted = (ULONG)(range->Size - done);
        ULONG moved = 0;

        status = writing ? spaces->lpVtbl->WriteVirtual(spaces, range->Offset + done, data + done,
                                                        wanted, &moved)
                         : spaces->lpVtbl->ReadVirtual(spaces, range->Offset + done, data + done,
                                                       wanted, &moved);
        if (status == S_OK && (moved == 0 || moved > wanted)) {
            status = E_FAIL;
        }
        done += status == S_OK ? moved : 0;
    }
    return status;
}

HRESULT scattered_move(const core_target *target, bool writing, const pointer_range *ranges,
                       ULONG count, ULONG *done)
{
    IPointerScatter *scatter = target->scatter;
    HRESULT status = S_OK;

    *done = 0;
    if (scatter != NULL) {
        status = writing ? scatter->lpVtbl->WriteRanges(scatter, count, ranges, done)
                         : scatter->lpVtbl->ReadRanges(scatter, count, ranges, done);
    }
    while (scatter == NULL && status == S_OK && *done < count) {
        status = move_range(target, writing, &ranges[*done]);
        *done += status == S_OK ? 1 : 0;
    }
    return status;
}

/* Neighbours become one range each. Gives how many ranges there are. */
static ULONG merge(ordered_room *room, uint64_t count, uint32_t width)
{
    ULONG ranges = 0;

    for (uint64_t i = 0; i < count; i++) {
        pointer_range *last = ranges == 0 ? NULL : &room->ranges[ranges - 1];

        if (last != NULL && last->Offset + last->Size == room->addresses[i]) {
            last->Size += width;
        } else {
            room->ranges[ranges].Offset = room->addresses[i];
            room->ranges[ranges].Data = room->packed + i * width;
            room->ranges[ranges].Size = width;
            ranges++;
        }
    }
    return ranges;
}

/* Could a write that fails in the middle leave a pointer of this range in pieces? */
static bool may_tear(const scattered_job *job, const pointer_range *range)
{
    uint64_t in_page = range->Offset & (SPAN_PAGE - 1);

    return !job->by_page || (range->Offset % job->width != 0 && in_page + range->Size > SPAN_PAGE);
}

bulk_outcome scattered_write_whole(const scattered_job *job, const pointer_range *range,
                                   bulk_buffer *buffer)
{
    const core_target *target = job->target;
    bulk_outcome outcome = {S_OK, "WritePointersVirtual", 0};

    if (range->Size == job->width) {
        IDebugDataSpaces4 *spaces = target->data_spaces;
        uint64_t pointer = 0;

        memcpy(&pointer, range->Data, job->width);
        outcome.status = spaces->lpVtbl->WritePointersVirtual(spaces, 1, range->Offset, &pointer);
    } else {
        bool needed = core_put_needs_buffer(target, range->Offset, job->width);

        outcome = core_put(target, range->Offset, range->Data, range->Size, job->width,
                           needed ? buffer : NULL);
    }
    return outcome;
}

static bool write_ranges(scattered_job *job, ULONG count, ordered_room *room)
{
    HRESULT status = S_OK;
    ULONG i = 0;

    while (status == S_OK && i < count) {
        ULONG run = 0, done = 0;

        while (job->target->scatter != NULL && i + run < count &&
               !may_tear(job, &room->ranges[i + run])) {
            run++;
        }
        if (run == 0) {
            bulk_outcome outcome = scattered_write_whole(job, &room->ranges[i], room->buffer);

            status = outcome.status;
            if (status != S_OK) {
                core_engine_error(job->error, outcome.method, status);
            }
            i++;
        } else {
            status = scattered_move(job->target, true, &room->ranges[i], run, &done);
            if (status != S_OK) {
                core_engine_error(job->error, "WriteVirtual", status);
            }
            i += run;
        }
    }
    return status == S_OK;
}

bool scattered_write_ordered(scattered_job *job, uint64_t from, uint64_t count, ordered_room *room)
{
    core_error *error = job->error;
    bool good = true;

    for (uint64_t done = 0; good && done < count;) {
        uint64_t run = count - done < job->run ? count - done : job->run;
        uint64_t whole;

        pointer_view_gather(job->addresses, from + done, run, room->addresses);
        whole = pointer_view_pack(job->values, from + done, run, job->width, job->check,
                                  room->packed, &error->value);
        good = write_ranges(job, merge(room, whole, job->width), room);
        if (good && whole < run) { /* the caller's memory has changed since it was checked */
            error->status = CORE_POINTER_RANGE;
            error->index = from + done + whole;
            good = false;
        }
        done += run;
        if (good) {
            error->done += run;
        }
        good = good && scattered_step(job, error->done, run);
    }
    return good;
}

bool scattered_read_ordered(scattered_job *job, uint64_t from, uint64_t count, ordered_room *room)
{
    core_error *error = job->error;
    bool good = true;

    for (uint64_t done = 0; good && done < count;) {
        uint64_t run = count - done < job->run ? count - done : job->run;
        ULONG ranges, moved = 0;
        HRESULT status;

        pointer_view_gather(job->addresses, from + done, run, room->addresses);
        ranges = merge(room, run, job->width);
        status = scattered_move(job->target, false, room->ranges, ranges, &moved);
        if (status != S_OK) {
            /* One by one up to the first that can't be read. */
            core_engine_error(error, "ReadVirtual", status);
            error->known = status != E_UNEXPECTED;
            for (uint64_t i = 0; i < run; i++) {
                pointer_range one = {room->addresses[i], room->packed + i * job->width, job->width};

                if (scattered_move(job->target, false, &one, 1, &moved) != S_OK) {
                    run = i;
                }
            }
            good = false;
        }
        for (uint64_t i = 0; i < run; i++) {
            uint64_t value = 0;

            memcpy(&value, room->packed + i * job->width, job->width);
            job->to[from + done + i] = value;
        }
        done += run;
        error->done += run;
        good = good && scattered_step(job, error->done, run);
    }
    return good;
}
