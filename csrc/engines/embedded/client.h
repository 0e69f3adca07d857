/* The embedded engine's IDebugClient, with which an engine begins. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_CLIENT_H
#define PYDBGWRITE_ENGINES_EMBEDDED_CLIENT_H

#include "../../com/client.h"
#include "target.h"

/* Makes an engine over a target, which it owns from then on, and gives its client with one
 * reference. NULL when memory is short; the target is then still the caller's. */
IDebugClient5 *embedded_client_create(embedded_target *embedded);

/* The target behind such a client; NULL for a client of another engine. */
embedded_target *embedded_client_target(IDebugClient5 *client);

#endif
