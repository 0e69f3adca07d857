/* Passes the memory of a live Linux process to a search: several threads read blocks, each into
 * memory of its own, and search them there. */
#define _GNU_SOURCE 1
#include "blocks.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crew.h"

typedef struct reading {
    linux_target *process;
    const pointer_block *blocks;
    pointer_block_taker take;
    void *context;
} reading;

/* Reads leading bytes of a block. A running process is read through /proc/PID/mem, and so is a
 * stopped one if its own call is refused. */
static size_t read_block(linux_target *process, const pointer_block *block, unsigned char *room)
{
    bool by_call = process->tracer != NULL && atomic_i32_load(&process->calls_refused) == 0;
    size_t moved = 0;
    ssize_t got = 1;

    while (moved < block->Size && got > 0) {
        uint64_t at = block->Offset + moved;
        struct iovec local = {room + moved, block->Size - moved};
        struct iovec remote = {(void *)(uintptr_t)at, block->Size - moved};

        got = by_call ? process_vm_readv((pid_t)process->thread, &local, 1, &remote, 1, 0)
                      : pread(process->memory, local.iov_base, local.iov_len, (off_t)at);
        if (got > 0) {
            moved += (size_t)got;
        } else if (got < 0 && errno == EINTR) {
            got = 1;
        }
    }
    return moved;
}

static bool do_block(void *context, int32_t number, unsigned char *room)
{
    const reading *self = context;
    const pointer_block *block = &self->blocks[number];

    if (!block->Plain) {
        self->take(self->context, (ULONG)number, room, read_block(self->process, block, room));
    }
    return true;
}

HRESULT linux_blocks_read(embedded_target *base, const pointer_block *blocks, size_t count,
                          pointer_block_taker take, void *context)
{
    linux_target *process = (linux_target *)base;
    reading self = {process, blocks, take, context};
    linux_crew_work work = {.blocks = (int32_t)count,
                            .do_block = do_block,
                            .context = &self,
                            .room_size = (size_t)POINTER_BLOCK_BYTES + POINTER_BLOCK_MORE};
    bool whole = false;

    if (!linux_crew_run(process, &work, linux_crew_most(), &whole)) {
        return E_OUTOFMEMORY;
    }
    return !whole || linux_held_lost(process) || linux_held_ended(process) ? E_UNEXPECTED : S_OK;
}
