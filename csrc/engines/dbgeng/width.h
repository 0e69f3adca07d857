/* The pointer width of the target's program. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_WIDTH_H
#define PYDBGWRITE_ENGINES_DBGENG_WIDTH_H

#include "../../com/client.h"
#include "waiting.h"

/* Makes the engine's pointer width that of the target's program. `process` may be NULL: then the
 * width comes from the program's own headers in the target. */
bool dbgeng_settle_width(IDebugClient5 *client, HANDLE process, dbgeng_error *error);

#endif
