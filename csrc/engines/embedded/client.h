/* The embedded engine's IDebugClient, and the creation of an engine. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_CLIENT_H
#define PYDBGWRITE_ENGINES_EMBEDDED_CLIENT_H

#include "../../com/client.h"
#include "target.h"

/* Creates an engine over a target and returns its client with one reference. The engine then owns
 * the target. NULL if memory is short; the caller then still owns the target. */
IDebugClient5 *embedded_client_create(embedded_target *embedded);

/* Returns the target behind such a client; NULL for a client of another engine. */
embedded_target *embedded_client_target(IDebugClient5 *client);

#endif
