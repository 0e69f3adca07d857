/* Work on scattered addresses of a stopped Linux process, by several processors. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_SHARES_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_SHARES_H

#include "../target.h"

/* Fewer pages are not worth starting a thread: less than half a millisecond of work. */
#define LINUX_SHARES_LEAST_PAGES 512u

/* A member of embedded_target_operations; see target.h. */
HRESULT linux_shares_run(embedded_target *self, const shared_work *work, uint64_t *done);

#endif
