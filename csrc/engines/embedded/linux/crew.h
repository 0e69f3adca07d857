/* Several threads carry out one piece of work, block by block. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_CREW_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_CREW_H

#include "held.h"

typedef struct linux_crew_work {
    int32_t blocks; /* at most LINUX_CREW_MOST_BLOCKS */
    /* Does a block, in any of the threads. False: it was not completed, so no other block need be
     * begun. */
    bool (*do_block)(void *context, int32_t block, unsigned char *room);
    void *context;
    size_t room_size; /* bytes of separate memory for each thread; 0: none */
} linux_crew_work;

#define LINUX_CREW_MOST_BLOCKS (INT32_MAX - 16)

/* Returns how many threads can help the caller. */
int linux_crew_most(void);

/* True if the process is stopped and alive, and process_vm_readv and process_vm_writev may be used.
 */
bool linux_crew_can_work(const linux_target *process);

/* Does all blocks. *whole is false if one was not completed or the target was lost, and then others
 * may not have been begun. When it returns, no thread works on any. Starts a helper for each idle
 * processor, up to `helpers`. False: memory is short, and nothing was done. */
bool linux_crew_run(linux_target *process, const linux_crew_work *work, int helpers, bool *whole);

#endif
