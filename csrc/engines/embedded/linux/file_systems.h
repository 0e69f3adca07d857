/* Determines what fills the absent pages of a mapping: the kernel alone, or somebody else. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_FILE_SYSTEMS_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_FILE_SYSTEMS_H

#include "held.h"
#include "maps.h"

typedef enum linux_filler {
    LINUX_FILLER_OTHER, /* a program (FUSE), another machine (NFS), or it is not known */
    LINUX_FILLER_DISK,  /* the kernel, from a disk; it may have to wait before it lets a shared page
                         * be written, for as long as the file system is frozen (fsfreeze(8)) */
    LINUX_FILLER_MEMORY /* the kernel, or a handler of userfaultfd(2); shared memory is such memory
                         */
} linux_filler;

linux_filler linux_filler_of(linux_target *process, const linux_region *region);

#endif
