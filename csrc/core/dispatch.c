/* Dispatches one request to the functions that carry it out; see dispatch.h. */
#include "dispatch.h"

#include "bulk.h"
#include "bytes.h"
#include "compare.h"
#include "narrow.h"
#include "pointers.h"
#include "read_back.h"
#include "scattered/compare.h"
#include "scattered/scattered.h"

/* Returns whether the values can be read. core_begin() checks the addresses. */
static bool values_readable(const core_target *target, const core_request *request,
                            core_error *error)
{
    return !request->foreign || request->checked ||
           core_readable(target, &request->values, core_value_size(request),
                         request->kind == CORE_BYTES ? "data" : "pointers", error);
}

bool core_check(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error)
{
    return core_begin(target, request, pace, error) && values_readable(target, request, error) &&
           (!core_must_fit(request, error->width) ||
            core_check_values(&request->values, pace, error));
}

static bool count_landed(const core_target *target, const core_request *request, uint32_t width,
                         uint64_t *landed)
{
    const pointer_view *values = &request->values;

    if (request->kind == CORE_SCATTERED) {
        return core_count_scattered(target, request, width, landed);
    }
    if (request->kind == CORE_BYTES) {
        return core_count_bytes(target, request->address, values->first, values->count, landed);
    }
    return core_count_pointers(target, request->address, values, width, landed);
}

void core_find_landed(const core_target *target, const core_request *request, core_error *error)
{
    error->known = count_landed(target, request, error->width, &error->landed);
    /* A value that did not fit has not landed, even if the target seems to hold it: its former
     * contents may equal that value's lower half. */
    if (error->status == CORE_POINTER_RANGE && error->landed > error->index) {
        error->landed = error->index;
    }
    if (error->scattered && error->status != CORE_UNREADABLE && error->known &&
        error->landed < error->count) {
        pointer_view_gather(&request->addresses, error->landed, 1, &error->at);
    }
}

bool core_write_begin(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error)
{
    return core_begin(target, request, pace, error) && values_readable(target, request, error);
}

void core_write_begun(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error)
{
    if (request->kind == CORE_BYTES) {
        core_write_bytes(target, request, pace, error);
    } else if (request->kind == CORE_SCATTERED) {
        core_write_scattered(target, request, pace, error);
    } else if (request->bulk) {
        core_write_bulk(target, request, pace, error);
    } else {
        core_write_pointers(target, request, pace, error);
    }
}

bool core_write_kept(const core_target *target, const core_request *request, const core_pace *pace,
                     const core_kept *kept, core_error *error)
{
    return core_write_begin(target, request, pace, error) &&
           core_write_scattered_kept(target, request, pace, kept, error);
}

core_status core_read(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error)
{
    if (!core_begin(target, request, pace, error)) {
        return error->status;
    }
    if (request->kind == CORE_BYTES) {
        core_read_bytes(target, request, pace, error);
    } else if (request->kind == CORE_SCATTERED) {
        core_read_scattered(target, request, pace, error);
    } else if (request->bulk) {
        core_read_bulk(target, request, pace, error);
    } else {
        core_read_pointers(target, request, pace, error);
    }
    return error->status;
}

core_status core_compare(const core_target *target, const core_request *request,
                         const core_pace *pace, core_differences *found, core_error *error)
{
    found->total = 0;
    found->kept = 0;
    if (core_begin(target, request, pace, error) && values_readable(target, request, error)) {
        if (request->kind == CORE_SCATTERED) {
            core_compare_scattered(target, request, pace, found, error);
        } else {
            core_compare_range(target, request, pace, found, error);
        }
    }
    return error->status;
}
