/* A large range of a stopped Linux process, moved by several threads.
 *
 * One processor copies less than memory can take, and the kernel's look-up of the target's pages is
 * work for the processor as well. "In order, stop at the first failure" holds where no page can
 * fail: the whole range is anonymous private memory that the process may read and write, its map
 * can't change while all its threads stand still, and what ends it ends the session too. (A file's
 * pages may be missing behind its end. A guard page of MADV_GUARD_INSTALL, Linux 6.13, is not in
 * the map: a large write over one stops there, but may have written behind it as well.)
 */
#define _GNU_SOURCE 1
#include "linux_ranges.h"

#include <sched.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux_process.h"

#define MOST_THREADS 8
/* A thread gets at least so much: starting it takes as long as copying some 300 KiB. */
#define LEAST_PART ((size_t)1 << 20)
#define STACK_SIZE ((size_t)128 * 1024)

typedef struct part {
    pthread_t thread;
    pid_t process;
    bool writing;
    bool started;
    uint64_t address;
    unsigned char *data;
    size_t size;
    size_t moved;
} part;

static void *move_part(void *argument)
{
    part *self = argument;
    ssize_t step = 1;

    while (self->moved < self->size && step > 0) {
        struct iovec local = {self->data + self->moved, self->size - self->moved};
        struct iovec remote = {(void *)(uintptr_t)(self->address + self->moved), local.iov_len};

        step = self->writing ? process_vm_writev(self->process, &local, 1, &remote, 1, 0)
                             : process_vm_readv(self->process, &local, 1, &remote, 1, 0);
        self->moved += step > 0 ? (size_t)step : 0;
    }
    return NULL;
}

/* Can no page of the range fail? */
static bool sure(const linux_target *process, uint64_t address, size_t size)
{
    uint64_t at = address;
    bool good = size <= UINT64_MAX - address;

    while (good && at < address + size) {
        linux_region region;

        good = linux_maps_find(process->maps, at, &region) == 0 && region.start <= at &&
               region.readable && region.writable && !region.shared && !region.file_backed;
        at = good ? region.end : at;
    }
    return good;
}

/* Processors that this thread may use. */
static int processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* Threads that no signal of this program goes to. */
static void start_parts(part *parts, int count)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (int i = 1; i < count; i++) {
            parts[i].started =
                pthread_create(&parts[i].thread, &attributes, move_part, &parts[i]) == 0;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
}

size_t linux_parallel_move(linux_target *process, bool writing, uint64_t address,
                           unsigned char *data, size_t size)
{
    part parts[MOST_THREADS] = {0};
    size_t most = size / LEAST_PART < MOST_THREADS ? size / LEAST_PART : MOST_THREADS;
    int count = processors();
    size_t each, begin = 0, moved = 0;
    bool whole = true;

    if ((size_t)count > most) {
        count = (int)most;
    }
    if (count < 2 || process->tracer == NULL || atomic_i32_load(&process->calls_refused) != 0 ||
        linux_memory_accessible(&process->base) != S_OK || linux_pidfd_ended(process->pidfd) ||
        !sure(process, address, size)) {
        goto done;
    }
    /* Parts begin at pages, so that no two threads touch the same one. */
    each = size / (size_t)count;
    each -= each % process->base.page_size;
    for (int i = 0; i < count; i++) {
        size_t past = i + 1 < count
                          ? (size_t)(i + 1) * each - (size_t)(address % process->base.page_size)
                          : size;

        parts[i].process = (pid_t)process->base.process_id;
        parts[i].writing = writing;
        parts[i].address = address + begin;
        parts[i].data = data + begin;
        parts[i].size = past - begin;
        begin = past;
    }
    start_parts(parts, count);
    move_part(&parts[0]);
    for (int i = 1; i < count; i++) {
        if (parts[i].started) {
            pthread_join(parts[i].thread, NULL);
        } else {
            move_part(&parts[i]);
        }
    }
    for (int i = 0; i < count && whole; i++) {
        moved += parts[i].moved;
        whole = parts[i].moved == parts[i].size;
    }
done:
    return moved;
}
