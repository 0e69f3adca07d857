/* The backing of a session over Microsoft's engine that another package started. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_WRAPPED_H
#define PYDBGWRITE_ENGINES_DBGENG_WRAPPED_H

#include "../../com/client.h"
#include "../backing.h"
#include "waiting.h"

/* `client` belongs to the session, and is used until that has ended. *process_id: the target's id
 * if the target `is_process`; 0 if the engine can't report it. NULL: *error. */
backing *dbgeng_wrapped_create(IDebugClient5 *client, bool is_process, uint32_t *process_id,
                               dbgeng_error *error);

#endif
