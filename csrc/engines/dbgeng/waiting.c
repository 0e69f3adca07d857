/* Waiting in slices; see waiting.h. */
#include "waiting.h"

/* How long one slice of a wait may take: then Ctrl-C and the time limit get their turn. */
#define SLICE_MS 50u

bool dbgeng_fail(dbgeng_error *error, dbgeng_failure failure)
{
    error->failure = failure;
    return false;
}

bool dbgeng_fail_engine(dbgeng_error *error, const char *operation, HRESULT hresult)
{
    error->failure = DBGENG_ENGINE;
    error->operation = operation;
    error->hresult = hresult;
    return false;
}

dbgeng_clock dbgeng_clock_start(const dbgeng_waiting *waiting)
{
    dbgeng_clock clock = {waiting, GetTickCount64()};

    return clock;
}

uint32_t dbgeng_clock_slice(const dbgeng_clock *clock)
{
    uint64_t limit_ms = clock->waiting->timeout_ns / 1000000u;
    uint64_t passed_ms = GetTickCount64() - clock->started_ms;
    uint64_t left_ms = passed_ms < limit_ms ? limit_ms - passed_ms : 0;

    return left_ms < SLICE_MS ? (uint32_t)left_ms : SLICE_MS;
}

bool dbgeng_clock_goes_on(const dbgeng_clock *clock, dbgeng_error *error)
{
    const dbgeng_waiting *waiting = clock->waiting;
    uint64_t passed_ms = GetTickCount64() - clock->started_ms;

    if (!waiting->keep_waiting(waiting->context)) {
        return dbgeng_fail(error, DBGENG_CANCELLED);
    }
    if (waiting->timeout_ns != UINT64_MAX && passed_ms >= waiting->timeout_ns / 1000000u) {
        return dbgeng_fail(error, DBGENG_TIMEOUT);
    }
    return true;
}
