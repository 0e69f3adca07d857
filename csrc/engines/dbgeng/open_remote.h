/* Connecting to another process's engine. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_OPEN_REMOTE_H
#define PYDBGWRITE_ENGINES_DBGENG_OPEN_REMOTE_H

#include "session.h"

/* Options like those of DebugConnect: "tcp:server=host,port=5005". Returns a session, or NULL and
 * *error; then nothing is left behind. The engine is loaded (dbgeng_load). */
dbgeng_session *dbgeng_connect(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error);

#endif
