/* Which process the target is, and whether it is still there. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_PRESENCE_H
#define PYDBGWRITE_ENGINES_DBGENG_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/client.h"
#include "../backing.h"

/* The system's id of the process that the engine is at; 0 where it can't say. */
uint32_t dbgeng_current_process(IDebugClient5 *client);

/* Is the process with this one's id at a process server this very process? Told by its command
 * line, since the server may be on another machine. */
bool dbgeng_is_this_process(IDebugClient5 *client, uint64_t server);

/* Has a process ended? False for NULL: unknown. */
bool dbgeng_process_ended(HANDLE process);

/* Is the target there, and its server? `process` is NULL where it is not one of this machine, or
 * there was no right to ask; `client` may be NULL too, and is asked then. */
backing_gone dbgeng_gone(IDebugClient5 *client, HANDLE process);

#endif
