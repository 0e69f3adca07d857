/* Opening dumps and kernels, each on a thread that lives as long as the session. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_OPEN_ON_THREAD_H
#define PYDBGWRITE_ENGINES_DBGENG_OPEN_ON_THREAD_H

#include "session.h"

/* Each returns a session, or NULL and *error. The engine is loaded (dbgeng_load). */

/* After DBGENG_TIMEOUT and DBGENG_CANCELLED the waiting thread stays until the engine has returned;
 * until then every later opening in this process fails with DBGENG_BUSY. */
dbgeng_session *dbgeng_open_dump(const wchar_t *path, const dbgeng_waiting *waiting,
                                 dbgeng_error *error);

/* After DBGENG_TIMEOUT and DBGENG_CANCELLED the waiting thread stays, and with it every later
 * opening in this process fails with DBGENG_LOST: for a kernel, WaitForEvent must wait without a
 * limit, and interrupting it is not reliable. */
dbgeng_session *dbgeng_attach_kernel(const wchar_t *options, const dbgeng_waiting *waiting,
                                     dbgeng_error *error);

#endif
