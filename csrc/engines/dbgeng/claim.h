/* The engine's one debugging session, and clients of it.
 *
 * A process has one engine, and all its clients share one debugging session. So only one session of
 * attach, launch, open_dump and attach_kernel (and of attach and launch through a process server)
 * is open at a time; connections to other processes' engines can be open beside it in any number.
 */
#ifndef PYDBGWRITE_ENGINES_DBGENG_CLAIM_H
#define PYDBGWRITE_ENGINES_DBGENG_CLAIM_H

#include "../../com/client.h"
#include "waiting.h"

/* The process's one session: claimed, given back, or lost for good. */
bool dbgeng_claim(dbgeng_error *error);
void dbgeng_unclaim(void);
void dbgeng_lose(void);
bool dbgeng_is_lost(void);

/* Creates a client for this thread. "A client's methods may be called only from the thread in which
 * the client was created" (MicrosoftDocs/windows-driver-docs, using-client-objects.md). */
bool dbgeng_create_client(IDebugClient5 **client, dbgeng_error *error);

#endif
