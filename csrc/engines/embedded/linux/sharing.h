/* Who else uses the memory of a Linux process. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_SHARING_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_SHARING_H

#include "held.h"

/* Does a process outside the stopped one share its memory (clone with CLONE_VM, as vfork does), so
 * that it may change at any time? Also true where that can't be told. Looks at every process. */
bool linux_sharing_found(int32_t process);

/* Does it use the memory of this very process (clone with CLONE_VM), as our tracers do and a child
 * of vfork? Then what is written there is seen here. kcmp(2) would tell, where the kernel has it.
 */
bool linux_sharing_ours(const linux_target *process);

/* Does the memory of a stopped process belong to its own, stopped threads alone? The answer is
 * kept. */
bool linux_sharing_alone(linux_target *process);

#endif
