/* Copying and checking the caller's pointers; see pointer_view.h. */
#include "pointer_view.h"

#include <string.h>

bool pointer_view_is_direct(const pointer_view *view)
{
    return (view->stride == (ptrdiff_t)sizeof(uint64_t) || view->count <= 1) &&
           (uintptr_t)view->first % sizeof(uint64_t) == 0;
}

const unsigned char *pointer_view_at(const pointer_view *view, uint64_t index)
{
    return view->first + (ptrdiff_t)index * view->stride;
}

void pointer_view_gather(const pointer_view *view, uint64_t from, uint64_t count, uint64_t *to)
{
    const unsigned char *source = pointer_view_at(view, from);

    if (view->stride == (ptrdiff_t)sizeof(uint64_t)) {
        memcpy(to, source, (size_t)count * sizeof(uint64_t));
    } else {
        for (uint64_t i = 0; i < count; i++) {
            memcpy(&to[i], source, sizeof(uint64_t));
            source += view->stride;
        }
    }
}

uint64_t pointer_view_find_wide(const pointer_view *view, uint64_t from, uint64_t count)
{
    const unsigned char *source = pointer_view_at(view, from);
    uint64_t i = 0;

    if (view->stride == (ptrdiff_t)sizeof(uint64_t)) {
        /* Blocks without a branch inside, which compilers vectorise. */
        bool clean = true;

        while (clean && count - i >= 1024) {
            uint64_t wide = 0;

            for (size_t j = 0; j < 1024; j++) {
                uint64_t value;

                memcpy(&value, source + (i + j) * sizeof value, sizeof value);
                wide |= (uint64_t)((value >> 32) != 0) &
                        (uint64_t)(((value + UINT64_C(0x80000000)) >> 32) != 0);
            }
            clean = wide == 0;
            i += clean ? 1024 : 0;
        }
    }
    for (; i < count; i++) {
        uint64_t value;

        memcpy(&value, source + (ptrdiff_t)i * view->stride, sizeof value);
        if (pointer_is_wide(value)) {
            break;
        }
    }
    return i;
}
