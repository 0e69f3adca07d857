/* Reads and writes the memory of a live Linux process, and describes its mappings.
 *
 * A stopped process is accessed by process_vm_readv and process_vm_writev, which respect page
 * protection. A private page that the process itself may only read is written through
 * /proc/PID/mem; the kernel forces that write as it does for a debugger (FOLL_FORCE, copy on
 * write). An absent page of anonymous memory is also accessed through that file: process_vm_* wait
 * for a handler of userfaultfd(2), which may be a suspended thread, while the file fails at once
 * with EIO (mm/gup.c: no FAULT_FLAG_ALLOW_RETRY). A running process is always accessed through
 * /proc/PID/mem, since that descriptor can't reach another program after an exec or under a reused
 * pid. As the file ignores page protection, the map is checked first.
 */
#define _GNU_SOURCE 1
#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "errand.h"
#include "file_systems.h"
#include "held.h"
#include "maps.h"
#include "parallel.h"
#include "present.h"
#include "process.h"
#include "tracer.h"

_Static_assert(sizeof(off_t) == 8, "addresses are offsets in /proc/PID/mem");

/* From this size on, the cost of checking whether the process still lives is negligible. */
#define LARGE_MOVE ((size_t)64 * 1024)

/* This many bytes are moved through /proc/PID/mem, which is slower, before the pages are checked
 * again. */
#define ABSENT_BYTES ((size_t)1 << 20)

typedef struct transfer {
    linux_target *process;
    bool writing;
    unsigned char *data; /* only read, in a write */
} transfer;

/* Returns the failure of a transfer whose first byte failed although the map permits it. */
static HRESULT fault(const transfer *move)
{
    return move->writing ? HR_WRITE_FAULT : HR_READ_FAULT;
}

/* True if the byte at the address can be read now. */
static bool readable_now(const linux_target *process, uint64_t address)
{
    unsigned char probe;
    struct iovec local = {&probe, 1}, remote = {(void *)(uintptr_t)address, 1};

    return process->memory >= 0
               ? pread(process->memory, &probe, 1, (off_t)address) == 1
               : process_vm_readv((pid_t)process->thread, &local, 1, &remote, 1, 0) == 1;
}

/* Makes a forced write that the kernel refused to this thread; it may permit it to the tracer
 * (fs/proc/base.c, proc_mem_foll_force: proc_mem.force_override=ptrace). */
static HRESULT force_by_tracer(const transfer *move, uint64_t address, const unsigned char *data,
                               size_t size, size_t *moved)
{
    linux_target *process = move->process;
    HRESULT result = S_OK;
    ssize_t done = -EIO;

    if (!readable_now(process, address)) {
        result = HR_WRITE_FAULT; /* no page exists, as past the end of a file: not a refusal */
        goto done;
    }
    if (process->tracer != NULL) {
        pthread_mutex_lock(&process->lock);
        done = linux_tracer_force(process->tracer, process->memory, address, data, size);
        pthread_mutex_unlock(&process->lock);
    }
    if (done > 0) {
        *moved = (size_t)done;
    } else if (done == 0 || linux_held_lost(process)) {
        result = E_UNEXPECTED;
    } else {
        atomic_i32_store(&process->force_refused, process->tracer != NULL
                                                      ? LINUX_FORCE_REFUSED_TRACER
                                                      : LINUX_FORCE_REFUSED_UNTRACED);
        result = HR_ACCESS_DENIED;
    }
done:
    return result;
}

/* Finds the mapping that contains the address, and checks whether the transfer may access it. */
static HRESULT find_permitted(const transfer *move, uint64_t address, linux_region *region)
{
    const linux_target *process = move->process;
    HRESULT result = S_OK;
    int failure = linux_maps_find(process->maps, address, region);

    if (failure == ESRCH) {
        result = E_UNEXPECTED;
    } else if (failure != 0 && failure != ENOENT) {
        result = HR_GEN_FAILURE;
    } else if (failure == ENOENT || region->start > address) {
        result = move->writing ? HR_INVALID_ADDRESS : HR_READ_FAULT;
    } else if (!move->writing && !region->readable) {
        result = HR_READ_FAULT;
    } else if (move->writing && !region->writable) { /* needs force, which not all pages permit */
        result = region->readable && !region->shared ? S_OK : HR_ACCESS_DENIED;
    }
    return result;
}

/* Moves the bytes that lie in the mapping, through /proc/PID/mem. S_OK: at least one byte was
 * moved. */
static HRESULT move_in_region(const transfer *move, const linux_region *region, uint64_t address,
                              unsigned char *data, size_t size, size_t *moved)
{
    const linux_target *process = move->process;
    HRESULT result = S_OK;
    ssize_t done = -1;

    if (size > region->end - address) {
        size = (size_t)(region->end - address);
    }
    if (process->memory >= 0) {
        do {
            done = move->writing ? pwrite(process->memory, data, size, (off_t)address)
                                 : pread(process->memory, data, size, (off_t)address);
        } while (done < 0 && errno == EINTR);
    }
    if (done > 0) {
        *moved = (size_t)done;
    } else if (done == 0) {
        result = E_UNEXPECTED; /* no process uses that memory any more (fs/proc/base.c, mem_rw) */
    } else if (move->writing && !region->writable) {
        result = force_by_tracer(move, address, data, size, moved);
    } else if (process->memory < 0 && atomic_i32_load(&process->calls_refused) != 0) {
        result = HR_CALL_REFUSED; /* process_vm_*, the only way, is now refused */
    } else {
        result = fault(move);
    }
    return result;
}

/* The same by the worker, for pages that may have to wait for a file system. */
static HRESULT move_by_worker(const transfer *move, const linux_region *region, uint64_t address,
                              unsigned char *data, size_t size, size_t *moved)
{
    bool forced = move->writing && !region->writable;
    uint64_t most = region->end - address;
    pointer_range range = {address, data, size};
    HRESULT result;

    range.Size = range.Size < most ? range.Size : most;
    range.Size = range.Size < LINUX_WORKER_BYTES ? range.Size : LINUX_WORKER_BYTES;
    result = linux_errand_run(move->process, move->writing, forced, &range, 1, moved);
    if (result == S_FALSE) {
        result =
            forced ? force_by_tracer(move, address, data, (size_t)range.Size, moved) : fault(move);
    }
    return result;
}

static HRESULT move_by_descriptor(const transfer *move, uint64_t address, unsigned char *data,
                                  size_t size, size_t *moved)
{
    linux_region region = {0};
    HRESULT result = find_permitted(move, address, &region);

    if (result == S_OK && linux_filler_of(move->process, &region) != LINUX_FILLER_MEMORY) {
        size_t present = linux_present_bytes(move->process, move->writing, address, size);

        size = present > 0 ? present : size;
        result = present > 0 ? move_in_region(move, &region, address, data, size, moved)
                             : move_by_worker(move, &region, address, data, size, moved);
    } else if (result == S_OK) {
        result = move_in_region(move, &region, address, data, size, moved);
    }
    return result;
}

/* One step of a transfer by process_vm_*: moves at least one byte, or returns the reason why not.
 */
static HRESULT move_by_call(const transfer *move, uint64_t address, unsigned char *data,
                            size_t size, size_t *moved)
{
    linux_target *process = move->process;
    struct iovec local = {.iov_base = data, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
    HRESULT result = HR_GEN_FAILURE;
    ssize_t done;

    done = move->writing ? process_vm_writev(process->thread, &local, 1, &remote, 1, 0)
                         : process_vm_readv(process->thread, &local, 1, &remote, 1, 0);
    if (done > 0) {
        *moved = (size_t)done;
        result = S_OK;
        goto done;
    }
    switch (done == 0 ? EFAULT : errno) {
    case ESRCH:
        result = E_UNEXPECTED;
        break;
    case EPERM: /* a sandbox, or privileges dropped since; the descriptor was opened with them */
    case EACCES:
    case ENOSYS:
        atomic_i32_store(&process->calls_refused, 1);
        result = move_by_descriptor(move, address, data, size, moved);
        break;
    case EFAULT:
        if (linux_held_lost(process)) {
            result = E_UNEXPECTED;
        } else if (move->writing) {
            result = move_by_descriptor(move, address, data, size, moved);
        } else {
            result = HR_READ_FAULT;
        }
        break;
    case ENOMEM:
        result = E_OUTOFMEMORY;
        break;
    default:
        break;
    }
done:
    return result;
}

/* The same if the page at the address is not known to be present. */
static HRESULT move_absent(const transfer *move, uint64_t address, unsigned char *data, size_t size,
                           size_t *moved)
{
    linux_region region = {0};
    HRESULT result = find_permitted(move, address, &region);

    if (result == S_OK && (move->process->memory < 0 ||
                           linux_filler_of(move->process, &region) != LINUX_FILLER_MEMORY)) {
        result = move_by_worker(move, &region, address, data, size, moved);
    } else if (result == S_OK) {
        size = size < ABSENT_BYTES ? size : ABSENT_BYTES;
        result = move_in_region(move, &region, address, data, size, moved);
    }
    return result;
}

/* One step of a transfer: moves at least one byte, or returns the reason why not. */
static HRESULT move_some(const transfer *move, uint64_t address, unsigned char *data, size_t size,
                         size_t *moved)
{
    linux_target *process = move->process;
    size_t present;

    if (process->tracer == NULL || atomic_i32_load(&process->calls_refused) != 0) {
        return move_by_descriptor(move, address, data, size, moved);
    }
    present = linux_present_bytes(process, move->writing, address, size);
    return present > 0 ? move_by_call(move, address, data, present, moved)
                       : move_absent(move, address, data, size, moved);
}

/* Takes no transfer, whose address would keep its callers' frames: after a system call, each return
 * costs as much as ten more instructions. */
static HRESULT move_all(linux_target *process, bool writing, uint64_t address, unsigned char *data,
                        size_t size, size_t *moved)
{
    const transfer move = {process, writing, data};
    HRESULT result = S_OK;
    size_t done = 0;
    size_t part;
    size_t step;

    if (size >= LINUX_PARALLEL_LEAST) {
        done = linux_parallel_run(process, writing ? LINUX_PARALLEL_WRITE : LINUX_PARALLEL_READ,
                                  address, data, size);
    }
    while (done < size && result == S_OK) {
        part = size - done < LINUX_LARGEST_MOVE ? size - done : LINUX_LARGEST_MOVE;
        step = 0;
        if (linux_held_lost(process) ||
            (process->tracer != NULL && part >= LARGE_MOVE && linux_held_ended(process))) {
            result = E_UNEXPECTED;
        } else if (address + done >= LINUX_LAST_END) {
            result = writing ? HR_INVALID_ADDRESS : HR_READ_FAULT;
        } else {
            result = move_some(&move, address + done, data + done, part, &step);
        }
        done += step;
    }
    *moved = done;
    return result;
}

HRESULT linux_memory_read(embedded_target *self, uint64_t address, void *data, size_t size,
                          size_t *moved)
{
    return move_all((linux_target *)self, false, address, data, size, moved);
}

HRESULT linux_memory_write(embedded_target *self, uint64_t address, const void *data, size_t size,
                           size_t *moved)
{
    linux_target *process = (linux_target *)self;

    *moved = 0;
    if (!process->writable) {
        return linux_held_lost(process) ? E_UNEXPECTED : HR_ACCESS_DENIED;
    }
    if (atomic_i32_load(&process->force_refused) != LINUX_FORCE_NOT_REFUSED) {
        atomic_i32_store(&process->force_refused, LINUX_FORCE_NOT_REFUSED);
    }
    /* The cast drops const for struct iovec, which serves both directions; a write does not change
     * the data. */
    return move_all(process, true, address, (unsigned char *)(uintptr_t)data, size, moved);
}

size_t linux_memory_write_narrow(embedded_target *self, uint64_t address, const void *pointers,
                                 size_t count, bool check)
{
    linux_target *process = (linux_target *)self;
    size_t written = 0;

    if (process->writable && address % 4 == 0 && count >= LINUX_PARALLEL_LEAST / 4) {
        written = linux_parallel_run(process,
                                     check ? LINUX_PARALLEL_NARROW_CHECKED : LINUX_PARALLEL_NARROW,
                                     address, (void *)(uintptr_t)pointers, count * 4);
    }
    return written / 4;
}

size_t linux_memory_count_equal(embedded_target *self, uint64_t address, const void *data,
                                size_t size)
{
    return linux_parallel_run((linux_target *)self, LINUX_PARALLEL_COMPARE, address,
                              (void *)(uintptr_t)data, size);
}

static ULONG protection_of(const linux_region *region)
{
    ULONG protection;

    if (region->executable && region->writable) {
        protection = PAGE_EXECUTE_READWRITE;
    } else if (region->executable) {
        protection = region->readable ? PAGE_EXECUTE_READ : PAGE_EXECUTE;
    } else if (region->writable) {
        protection = PAGE_READWRITE;
    } else {
        protection = region->readable ? PAGE_READONLY : PAGE_NOACCESS;
    }
    return protection;
}

#if defined(__aarch64__)
/* Returns the first power of two above the last mapping, the stack: kernels are built for 36 to 52
 * address bits (Documentation/arch/arm64/memory.rst). */
static uint64_t behind_last_mapping(int maps)
{
    uint64_t end = UINT64_C(1) << 36;
    linux_region region = {0};

    while (linux_maps_find(maps, region.end, &region) == 0) {
        while (end < region.end) {
            end *= 2;
        }
    }
    return end;
}
#endif

/* Returns the end of the addresses that a program can map (TASK_SIZE). With five-level page tables
 * a program may request more, and then the map shows the mapping that it got. */
static uint64_t user_space_end(const embedded_target *self)
{
    uint64_t end = self->pointer_size == 8 ? UINT64_C(1) << 47 : UINT64_C(1) << 32;

#if defined(__x86_64__)
    end -= self->pointer_size == 8 ? 0x1000 : 0x2000;
#elif defined(__aarch64__)
    if (self->pointer_size == 8) {
        end = behind_last_mapping(((const linux_target *)self)->maps);
    }
#endif
    return end;
}

HRESULT linux_memory_query(embedded_target *self, uint64_t address,
                           MEMORY_BASIC_INFORMATION64 *info)
{
    const linux_target *process = (const linux_target *)self;
    HRESULT result = S_OK;
    linux_region region;
    uint64_t start = address - address % self->page_size;
    uint64_t end;
    int failure;

    if (linux_held_lost(process)) {
        result = E_UNEXPECTED;
        goto done;
    }
    failure = linux_maps_find(process->maps, address, &region);
    if (failure == ENOENT && address < (end = user_space_end(self))) {
        failure = 0;
        region.start = end; /* no mapping, up to there */
    }
    memset(info, 0, sizeof *info);
    info->BaseAddress = start;
    if (failure == 0 && region.start > address) {
        info->RegionSize = region.start - start;
        info->State = MEM_FREE;
        info->Protect = PAGE_NOACCESS;
    } else if (failure == 0) {
        info->AllocationBase = region.start;
        info->RegionSize = region.end - start;
        info->State = MEM_COMMIT;
        info->Protect = protection_of(&region);
        info->AllocationProtect = info->Protect;
        info->Type = region.shared ? MEM_MAPPED : region.file_backed ? MEM_IMAGE : MEM_PRIVATE;
    }
    if (failure == ESRCH) {
        result = E_UNEXPECTED;
    } else if (failure == ENOENT) {
        result = E_NOINTERFACE;
    } else if (failure != 0) {
        result = HR_GEN_FAILURE;
    }
done:
    return result;
}

bool linux_memory_shows_readable(const embedded_target *self, uint64_t address)
{
    linux_region region;

    return linux_maps_find(((const linux_target *)self)->maps, address, &region) == 0 &&
           region.start <= address && region.readable;
}

linux_force_refused linux_memory_force_refused(const embedded_target *self)
{
    return (linux_force_refused)atomic_i32_load(&((const linux_target *)self)->force_refused);
}
