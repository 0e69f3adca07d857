/* What every request begins with; see request.h. */
#include "request.h"

#include <string.h>

uint32_t core_pointer_size(const core_target *target, core_error *error)
{
    HRESULT status = target->control->lpVtbl->IsPointer64Bit(target->control);

    if (status == S_OK) {
        return 8;
    }
    if (status == S_FALSE) {
        return 4;
    }
    core_engine_error(error, "IsPointer64Bit", status);
    return 0;
}

bool core_range_wraps(uint64_t address, uint64_t count, uint32_t width)
{
    /* The bytes from `address` on are one more than UINT64_MAX - address. */
    uint64_t behind = UINT64_MAX - address;

    return count > 0 && (behind < width - 1u || count - 1 > (behind - (width - 1u)) / width);
}

/* Every address must leave a pointer's bytes below 2^64. */
static void check_addresses(const pointer_view *addresses, const core_pace *pace, core_error *error)
{
    uint64_t last = UINT64_MAX - (error->width - 1);
    uint64_t i = 0, address = 0;
    bool more = addresses->count > 0;

    while (more) {
        uint64_t left = addresses->count - i;
        uint64_t past = i + (left < CORE_CHECKED_AT_ONCE ? left : CORE_CHECKED_AT_ONCE);

        for (; i < past && address <= last; i++) {
            memcpy(&address, pointer_view_at(addresses, i), sizeof address);
        }
        more = address <= last && i < addresses->count &&
               core_pace_check(pace, addresses->count, error);
    }
    if (address > last) {
        error->status = CORE_WRAPS;
        error->index = i - 1;
        error->at = address;
    }
}

bool core_begin(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error)
{
    uint64_t count = request->values.count;

    memset(error, 0, sizeof *error);
    error->address = request->address;
    error->count = count;
    /* WriteVirtual refuses size 0 with E_INVALIDARG, with or without a target. That nothing can be
     * written without a target is said by IsPointer64Bit, for bytes too. */
    error->width = core_pointer_size(target, error);
    if (request->kind == CORE_BYTES) {
        error->width = 1;
    }
    if (request->kind == CORE_SCATTERED) {
        error->scattered = true;
        if (count > 0) {
            pointer_view_gather(&request->addresses, 0, 1, &error->address);
            error->at = error->address;
        }
        if (error->status == CORE_OK) {
            check_addresses(&request->addresses, pace, error);
        }
    } else if (error->status == CORE_OK &&
               core_range_wraps(request->address, count, error->width)) {
        error->status = CORE_WRAPS;
    }
    return error->status == CORE_OK;
}
