/* Detects forks: a counter that is one higher in each forked child. */
#include "forks.h"

#include "../../base/atomics.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

static atomic_i32 seen;

int32_t forks_seen(void)
{
    return atomic_i32_load(&seen);
}

#if defined(_WIN32)

void forks_watch(void)
{
}

#else

static void count_fork(void)
{
    (void)atomic_i32_add(&seen, 1);
}

void forks_watch(void)
{
    static atomic_i32 registered;

    if (atomic_i32_compare_exchange(&registered, 0, 1)) {
        (void)pthread_atfork(NULL, NULL, count_fork);
    }
}

#endif
