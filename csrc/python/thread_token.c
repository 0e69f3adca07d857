/* Numbers for threads, given out at a thread's first request; see thread_token.h. */
#include "thread_token.h"

#include "../base/atomics.h"
#include "thread_local.h"

static THREAD_LOCAL int32_t own;
static atomic_i32 last;

int32_t thread_token(void)
{
    if (own == 0) {
        own = atomic_i32_add(&last, 1);
    }
    return own;
}
