/* Functions that a thread on an idle processor carries out beside the caller's own work. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_ASIDE_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_ASIDE_H

#include "held.h"

void linux_aside_init(linux_aside *self);
void linux_aside_destroy(linux_aside *self);

/* Members of embedded_target_operations; see target.h. */
HRESULT linux_aside_begin(embedded_target *self, void (*function)(void *), void *context);
void linux_aside_end(embedded_target *self);

#endif
