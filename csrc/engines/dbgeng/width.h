/* How wide the pointers of the target's program are. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_WIDTH_H
#define PYDBGWRITE_ENGINES_DBGENG_WIDTH_H

#include "../../com/client.h"
#include "waiting.h"

/* Makes the engine's pointer width that of the target's program. `process` may be NULL: then the
 * program's own headers in the target tell. */
bool dbgeng_settle_width(IDebugClient5 *client, HANDLE process, dbgeng_error *error);

#endif
