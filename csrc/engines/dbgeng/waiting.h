/* The reason that an opening failed, and the time that it may take. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_WAITING_H
#define PYDBGWRITE_ENGINES_DBGENG_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/types.h"

/* The reason that an opening failed; python/ turns it into an exception with advice. */
typedef enum dbgeng_failure {
    DBGENG_OK = 0,
    DBGENG_BUSY,          /* this process has an open session of the engine */
    DBGENG_LOST,          /* an attach_kernel of this process still waits, for good */
    DBGENG_NO_PROCESS,    /* no such process, or it ended meanwhile */
    DBGENG_OWN_PROCESS,   /* the caller's own process */
    DBGENG_OTHER_BITNESS, /* a 64-bit process, and a 32-bit engine */
    DBGENG_NO_TARGET,     /* connect: the server has no accessible target */
    DBGENG_TIMEOUT,       /* the time limit was reached */
    DBGENG_CANCELLED,     /* keep_waiting returned false */
    DBGENG_ENGINE,        /* the engine's `operation` answered hresult */
    DBGENG_SYSTEM,        /* the system's `operation` failed: os_error */
} dbgeng_failure;

typedef struct dbgeng_error {
    dbgeng_failure failure;
    HRESULT hresult;
    uint32_t os_error;     /* GetLastError(), or 0 */
    const char *operation; /* static text: the call that failed, e.g. "AttachProcess" */
} dbgeng_error;

/* Note a failure; both return false. */
bool dbgeng_fail(dbgeng_error *error, dbgeng_failure failure);
bool dbgeng_fail_engine(dbgeng_error *error, const char *operation, HRESULT hresult);

/* Called on the opening thread about every 50 ms while it waits; false gives up. */
typedef struct dbgeng_waiting {
    bool (*keep_waiting)(void *context);
    void *context;
    uint64_t timeout_ns; /* from now; UINT64_MAX waits without a limit */
} dbgeng_waiting;

/* A wait: its start, whether it may continue, and the length of its next slice, in ms. */
typedef struct dbgeng_clock {
    const dbgeng_waiting *waiting;
    uint64_t started_ms;
} dbgeng_clock;

dbgeng_clock dbgeng_clock_start(const dbgeng_waiting *waiting);
uint32_t dbgeng_clock_slice(const dbgeng_clock *clock);
bool dbgeng_clock_goes_on(const dbgeng_clock *clock, dbgeng_error *error);

#endif
