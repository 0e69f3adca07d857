/* Reading and writing the memory of a live Linux process, and describing its mappings.
 *
 * A stopped process: process_vm_readv and process_vm_writev, which respect page protection. A
 * private page that the process itself may only read is written through /proc/PID/mem, which the
 * kernel forces as it does for a debugger (FOLL_FORCE, copy on write). A running process: always
 * through /proc/PID/mem, since that descriptor can't reach another program after an exec or under a
 * reused pid; as it ignores protection, the map is asked first.
 */
#define _GNU_SOURCE 1
#include "linux_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux_process.h"

_Static_assert(sizeof(off_t) == 8, "addresses are offsets in /proc/PID/mem");

/* One system call moves at most MAX_RW_COUNT, 2 GiB less a page (include/linux/fs.h). */
#define LARGEST_MOVE ((size_t)1 << 30)
/* From this size on, asking whether the process still lives costs nothing to speak of. */
#define LARGE_MOVE ((size_t)64 * 1024)

/* Offsets in files are signed, and nothing of a program lies in the upper half. */
#define UPPER_HALF (UINT64_C(1) << 63)

typedef struct transfer {
    linux_target *process;
    bool writing;
    unsigned char *data; /* only read from when writing */
} transfer;

/* Free of system calls for a stopped process. */
static bool lost(const linux_target *process)
{
    if (atomic_i32_load(&process->let_go) != 0) {
        return true;
    }
    if (process->tracer != NULL) {
        return linux_tracer_gone(process->tracer);
    }
    return linux_pidfd_ended(process->pidfd);
}

HRESULT linux_memory_accessible(target *self)
{
    return lost((const linux_target *)self) ? E_UNEXPECTED : S_OK;
}

/* The first byte of a transfer failed although the map allows it. */
static HRESULT fault(const transfer *move)
{
    return move->writing ? HR_WRITE_FAULT : HR_READ_FAULT;
}

/* A forced write that the kernel refused: the tracer may be allowed what this thread is not
 * (fs/proc/base.c, proc_mem_foll_force: proc_mem.force_override=ptrace). */
static HRESULT force_by_tracer(const transfer *move, uint64_t address, const unsigned char *data,
                               size_t size, size_t *moved)
{
    linux_target *process = move->process;
    unsigned char probe;
    ssize_t done = -EIO;

    if (pread(process->memory, &probe, 1, (off_t)address) != 1) {
        return HR_WRITE_FAULT; /* no page behind it, as past the end of a file: not a refusal */
    }
    if (process->tracer != NULL) {
        pthread_mutex_lock(&process->lock);
        done = linux_tracer_force(process->tracer, process->memory, address, data, size);
        pthread_mutex_unlock(&process->lock);
    }
    if (done > 0) {
        *moved = (size_t)done;
        return S_OK;
    }
    if (done == 0 || lost(process)) {
        return E_UNEXPECTED;
    }
    atomic_i32_store(&process->forcing_forbidden, 1);
    return HR_ACCESS_DENIED;
}

/* Moves as much as one mapping holds, through /proc/PID/mem. S_OK: at least one byte. */
static HRESULT move_by_descriptor(const transfer *move, uint64_t address, unsigned char *data,
                                  size_t size, size_t *moved)
{
    const linux_target *process = move->process;
    linux_region region;
    bool forced;
    ssize_t done;
    int failure = linux_maps_find(process->maps, address, &region);

    if (failure == ESRCH) {
        return E_UNEXPECTED;
    }
    if (failure != 0 && failure != ENOENT) {
        return HR_GEN_FAILURE;
    }
    if (failure == ENOENT || region.start > address) {
        return move->writing ? HR_INVALID_ADDRESS : HR_READ_FAULT;
    }
    if (!move->writing && !region.readable) {
        return HR_READ_FAULT;
    }
    forced = move->writing && !region.writable;
    if (forced && (!region.readable || region.shared)) {
        return HR_ACCESS_DENIED;
    }
    if (!forced && process->tracer != NULL && atomic_i32_load(&process->calls_refused) == 0) {
        return fault(move); /* the map allows it, and still process_vm_* has just failed here */
    }
    if (size > region.end - address) {
        size = (size_t)(region.end - address);
    }
    do {
        done = move->writing ? pwrite(process->memory, data, size, (off_t)address)
                             : pread(process->memory, data, size, (off_t)address);
    } while (done < 0 && errno == EINTR);
    if (done > 0) {
        *moved = (size_t)done;
        return S_OK;
    }
    if (done == 0) {
        return E_UNEXPECTED; /* that memory has no user any more (fs/proc/base.c, mem_rw) */
    }
    return forced ? force_by_tracer(move, address, data, size, moved) : fault(move);
}

/* One step of a transfer: at least one byte, or why not. */
static HRESULT move_some(const transfer *move, uint64_t address, unsigned char *data, size_t size,
                         size_t *moved)
{
    linux_target *process = move->process;
    struct iovec local = {.iov_base = data, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
    ssize_t done;

    if (process->tracer == NULL || atomic_i32_load(&process->calls_refused) != 0) {
        return move_by_descriptor(move, address, data, size, moved);
    }
    done = move->writing ? process_vm_writev(process->base.process_id, &local, 1, &remote, 1, 0)
                         : process_vm_readv(process->base.process_id, &local, 1, &remote, 1, 0);
    if (done > 0) {
        *moved = (size_t)done;
        return S_OK;
    }
    switch (done == 0 ? EFAULT : errno) {
    case ESRCH:
        return E_UNEXPECTED;
    case EPERM: /* seccomp, or rights given up since; the descriptor was opened with them */
    case ENOSYS:
        atomic_i32_store(&process->calls_refused, 1);
        return move_by_descriptor(move, address, data, size, moved);
    case EFAULT:
        if (lost(process)) {
            return E_UNEXPECTED;
        }
        return move->writing ? move_by_descriptor(move, address, data, size, moved) : HR_READ_FAULT;
    case ENOMEM:
        return E_OUTOFMEMORY;
    default:
        return HR_GEN_FAILURE;
    }
}

/* The common case, one call that moves everything, is the caller's; this finishes what is left. */
static HRESULT move_all(const transfer *move, uint64_t address, size_t size, size_t *moved)
{
    HRESULT result = S_OK;
    size_t done = *moved;
    size_t part;
    size_t step;

    while (done < size && result == S_OK) {
        part = size - done < LARGEST_MOVE ? size - done : LARGEST_MOVE;
        step = 0;
        if (lost(move->process) || (move->process->tracer != NULL && part >= LARGE_MOVE &&
                                    linux_pidfd_ended(move->process->pidfd))) {
            result = E_UNEXPECTED;
        } else if (address + done >= UPPER_HALF) {
            result = move->writing ? HR_INVALID_ADDRESS : HR_READ_FAULT;
        } else {
            result = move_some(move, address + done, move->data + done, part, &step);
        }
        done += step;
    }
    *moved = done;
    return result;
}

HRESULT linux_memory_read(target *self, uint64_t address, void *data, size_t size, size_t *moved)
{
    transfer move = {.process = (linux_target *)self, .data = data};

    *moved = 0;
    return move_all(&move, address, size, moved);
}

HRESULT linux_memory_write(target *self, uint64_t address, const void *data, size_t size,
                           size_t *moved)
{
    /* The cast drops const for struct iovec, which serves both directions; nothing is changed. */
    transfer move = {
        .process = (linux_target *)self, .writing = true, .data = (unsigned char *)(uintptr_t)data};

    *moved = 0;
    if (!move.process->writable) {
        return lost(move.process) ? E_UNEXPECTED : HR_ACCESS_DENIED;
    }
    if (atomic_i32_load(&move.process->forcing_forbidden) != 0) {
        atomic_i32_store(&move.process->forcing_forbidden, 0);
    }
    return move_all(&move, address, size, moved);
}

static ULONG protection_of(const linux_region *region)
{
    if (region->executable) {
        if (region->writable) {
            return PAGE_EXECUTE_READWRITE;
        }
        return region->readable ? PAGE_EXECUTE_READ : PAGE_EXECUTE;
    }
    if (region->writable) {
        return PAGE_READWRITE;
    }
    return region->readable ? PAGE_READONLY : PAGE_NOACCESS;
}

HRESULT linux_memory_query(target *self, uint64_t address, MEMORY_BASIC_INFORMATION64 *info)
{
    const linux_target *process = (const linux_target *)self;
    linux_region region;
    uint64_t start;
    int failure;

    if (lost(process)) {
        return E_UNEXPECTED;
    }
    failure = linux_maps_find(process->maps, address, &region);
    memset(info, 0, sizeof *info);
    if (failure == 0 && region.start > address) {
        failure = linux_maps_gap_start(process->maps, address, &start);
        info->BaseAddress = start;
        info->RegionSize = region.start - start;
        info->State = MEM_FREE;
        info->Protect = PAGE_NOACCESS;
    } else if (failure == 0) {
        info->BaseAddress = region.start;
        info->AllocationBase = region.start;
        info->RegionSize = region.end - region.start;
        info->State = MEM_COMMIT;
        info->Protect = protection_of(&region);
        info->AllocationProtect = info->Protect;
        info->Type = region.shared ? MEM_MAPPED : region.file_backed ? MEM_IMAGE : MEM_PRIVATE;
    }
    if (failure == ESRCH) {
        return E_UNEXPECTED;
    }
    if (failure == ENOENT) {
        return E_NOINTERFACE;
    }
    return failure == 0 ? S_OK : HR_GEN_FAILURE;
}
