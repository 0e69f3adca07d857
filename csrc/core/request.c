/* The first steps of every request; see request.h. */
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

/* An engine that ignores upper halves takes the addresses of 32 bits, zero- or sign-extended. */
#define PAST_NARROW   (UINT64_C(1) << 32)
#define SIGN_EXTENDED (UINT64_MAX - INT32_MAX)

/* Returns whether such an engine would take this range for another one. */
static bool is_folded(uint64_t address, uint64_t count, uint32_t width)
{
    return count > 0 && address < SIGN_EXTENDED &&
           (address >= PAST_NARROW || count > (PAST_NARROW - address) / width);
}

/* Checks that the pointer at each address lies below 2^64, or that the engine does not fold it. */
static void check_addresses(const pointer_view *addresses, bool folds, const core_pace *pace,
                            core_error *error)
{
    uint64_t top = UINT64_MAX - (error->width - 1);
    uint64_t last = folds ? PAST_NARROW - error->width : top;
    uint64_t i = 0, address = 0;
    bool good = true;
    bool more = addresses->count > 0;

    while (more) {
        uint64_t left = addresses->count - i;
        uint64_t past = i + (left < CORE_CHECKED_AT_ONCE ? left : CORE_CHECKED_AT_ONCE);

        for (; i < past && good; i++) {
            memcpy(&address, pointer_view_at(addresses, i), sizeof address);
            good = address <= last || (folds && address >= SIGN_EXTENDED && address <= top);
        }
        more = good && i < addresses->count && core_pace_check(pace, addresses->count, error);
    }
    if (!good) {
        error->status = CORE_WRAPS;
        error->index = i - 1;
        error->at = address;
    }
}

/* Elements further apart are checked one by one. */
#define FAR_APART 65536u

bool core_readable(const core_target *target, const pointer_view *view, size_t size,
                   const char *purpose, core_error *error)
{
    uint64_t step = (uint64_t)(view->stride < 0 ? -view->stride : view->stride);
    uint64_t readable = view->count;

    if (target->own_readable != NULL && view->count > 0 && step < FAR_APART) {
        bool backwards = view->stride < 0;
        const unsigned char *first = pointer_view_at(view, backwards ? view->count - 1 : 0);
        size_t all = (size_t)((view->count - 1) * step + size);
        size_t known = target->own_readable(first, all);

        if (known < all && !backwards && step > 0) {
            readable = known < size ? 0 : (known - size) / step + 1;
        } else if (known < all) {
            readable = 0;
        }
    } else if (target->own_readable != NULL) {
        readable = 0;
        while (readable < view->count &&
               target->own_readable(pointer_view_at(view, readable), size) == size) {
            readable++;
        }
    }
    if (readable < view->count) {
        error->status = CORE_BUFFER_GONE;
        error->index = readable;
        error->purpose = purpose;
        error->known = true;
    }
    return readable == view->count;
}

bool core_begin(const core_target *target, const core_request *request, const core_pace *pace,
                core_error *error)
{
    uint64_t count = request->values.count;
    bool folds;

    core_error_init(error);
    error->address = request->address;
    error->count = count;
    /* WriteVirtual refuses size 0 with E_INVALIDARG, with or without a target. IsPointer64Bit
     * reports, for bytes too, that there is no target and so nothing can be written. */
    error->width = core_pointer_size(target, error);
    folds = target->folds && error->width == 4;
    if (request->kind == CORE_BYTES) {
        error->width = 1;
    }
    if (request->kind == CORE_SCATTERED) {
        error->scattered = true;
        if (!request->foreign ||
            core_readable(target, &request->addresses, sizeof(uint64_t), "addresses", error)) {
            if (count > 0) {
                pointer_view_gather(&request->addresses, 0, 1, &error->address);
                error->at = error->address;
            }
        }
        if (error->status == CORE_OK) {
            check_addresses(&request->addresses, folds, pace, error);
        }
    } else if (error->status == CORE_OK &&
               (core_range_wraps(request->address, count, error->width) ||
                (folds && is_folded(request->address, count, error->width)))) {
        error->status = CORE_WRAPS;
    }
    return error->status == CORE_OK;
}
