/* Checks whether other processes use the memory of a Linux process. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_SHARING_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_SHARING_H

#include "held.h"

/* True if a process outside the stopped one shares its memory (clone with CLONE_VM, as vfork does),
 * so that the memory may change at any time. Also true if that can't be determined. Checks every
 * process. */
bool linux_sharing_found(int32_t process);

/* True if it uses the memory of this process (clone with CLONE_VM), as our tracers and a child of
 * vfork do. A write to its memory then changes this process. kcmp(2) would show that if the kernel
 * has it. */
bool linux_sharing_ours(const linux_target *process);

/* True if only the stopped threads of a stopped process use its memory. The answer is kept. */
bool linux_sharing_alone(linux_target *process);

#endif
