/* Finds the target's process, and whether it still exists. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_PRESENCE_H
#define PYDBGWRITE_ENGINES_DBGENG_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/client.h"
#include "../backing.h"

/* Returns the system's id of the engine's current process; 0 if the engine can't report it. */
uint32_t dbgeng_current_process(IDebugClient5 *client);

/* Returns whether the process with this one's id at a process server is this very process. It
 * compares the command lines, since the server may be on another machine. */
bool dbgeng_is_this_process(IDebugClient5 *client, uint64_t server);

/* What the target's system says of the session's process. Behind a server nothing else identifies
 * it. */
typedef struct dbgeng_life {
    uint64_t thread; /* when its first thread was created, in units of 100 ns since 1601 */
    uint32_t now;    /* that system's time, in seconds since 1970 */
    uint32_t up;     /* for how many seconds it has run, asked after that: now - up is not late */
} dbgeng_life;

/* Asks for these. *method names the call that failed. */
HRESULT dbgeng_ask_life(IDebugClient5 *client, dbgeng_life *life, const char **method);

/* Returns whether a process has ended. False for NULL: unknown. */
bool dbgeng_process_ended(HANDLE process);

/* Finds whether the target and its server still exist. `process` is NULL if it is not a process of
 * this machine, or there was no right to ask; then `client` is asked, which may be NULL too. */
backing_gone dbgeng_gone(IDebugClient5 *client, HANDLE process);

#endif
