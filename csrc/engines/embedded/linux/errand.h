/* Moves memory by the worker, and interprets its answer. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_ERRAND_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_ERRAND_H

#include "../../../com/pointer_scatter.h"
#include "held.h"

/* Moves ranges whose pages may have to wait for a file system: up to LINUX_WORKER_RANGES ranges
 * with LINUX_WORKER_BYTES bytes, of mappings that permit it; `forced` if they permit only a forced
 * write. S_OK: *moved bytes were moved, in order. S_FALSE: the first byte can't be moved so.
 * E_ABORT: the wait was ended. Neither has moved anything. */
HRESULT linux_errand_run(linux_target *process, bool writing, bool forced,
                         const pointer_range *ranges, size_t count, size_t *moved);

#endif
