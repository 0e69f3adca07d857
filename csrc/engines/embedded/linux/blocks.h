/* Passes the memory of a live Linux process to a search. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_BLOCKS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_BLOCKS_H

#include "../target.h"

/* The members of embedded_target_operations; see target.h. */
HRESULT linux_blocks_read(embedded_target *self, const pointer_block *blocks, size_t count,
                          pointer_block_taker take, void *context);

#endif
