/* The parts of a live Linux process's memory that a search must read. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PARTS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_PARTS_H

#include "../target.h"

/* The member of embedded_target_operations; see target.h. */
HRESULT linux_parts_find(embedded_target *self, uint64_t address, uint64_t end, bool zeros,
                         pointer_part *part);

#endif
