/* Several threads move or compare a large range of a stopped Linux process.
 *
 * One processor does not use the full memory bandwidth, and the kernel's look-up of the target's
 * pages takes processor time as well. Transfers keep the rule "in order, stop at the first failure"
 * since they run only if no page can fail: the whole range is anonymous private memory that the
 * process may read and write; its map can't change while all its threads are suspended and no other
 * process uses it; and an event that ends the process ends the session too. (A file's pages may be
 * missing past its end. A guard page of MADV_GUARD_INSTALL, Linux 6.13, is not in the map, and the
 * system may have no memory for a page: a large transfer stops there, but may have moved bytes
 * after it as well. So may a transfer with a value too wide for the target.) A comparison changes
 * nothing, so it may run on any page.
 *
 * The range is cut into blocks, and each thread takes one after the other. The caller checks
 * repeatedly for idle processors and starts a helper for each. On a busy machine a helper may not
 * run for a while. The caller then does all the work, and does not wait for a helper that has taken
 * no block. Such a helper runs late, finds no block and ends.
 */
#define _GNU_SOURCE 1
#include "parallel.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../../base/pointer_view.h"
#include "maps.h"
#include "present.h"
#include "process.h"
#include "processors.h"
#include "sharing.h"

#define MOST_HELPERS 7
/* Some 50 microseconds of work; the caller waits for at most one block of each helper. */
#define BLOCK_BYTES ((size_t)512 * 1024)
/* The number of the target's bytes that are narrowed or read at a time: they fit in the processor's
 * second-level cache. */
#define PART_BYTES ((size_t)256 * 1024)
#define STACK_SIZE ((size_t)128 * 1024)
/* The caller works on this many blocks before it checks for idle processors again. */
#define LOOK_EVERY 2

/* True if the work goes through memory of this process. That is worthwhile on one processor, too.
 */
static bool by_parts(linux_parallel_work work)
{
    return work != LINUX_PARALLEL_READ && work != LINUX_PARALLEL_WRITE;
}

static bool writes(linux_parallel_work work)
{
    return work != LINUX_PARALLEL_READ && work != LINUX_PARALLEL_COMPARE;
}

/* Shared by the caller and its helpers; the last one to leave frees it. Only a thread that has
 * taken a block accesses the caller's memory. */
typedef struct job {
    atomic_i32 users;
    atomic_i32 taken; /* blocks taken; none are left once it reaches `blocks` */
    atomic_i32 front; /* blocks that the caller took, from the front */
    atomic_i32 back;  /* blocks that helpers took, from the back */
    atomic_i32 cut;   /* a block was not completed: no more need be started */
    atomic_i32 seats;
    int32_t blocks;
    linux_target *target;
    pid_t process;
    int memory; /* if pages are not known to be present: /proc/PID/mem, which never waits for
                 * anonymous ones (memory.c); else -1 */
    linux_parallel_work work;
    uint64_t address; /* of block 0, which may be shorter so that the others begin at a page */
    unsigned char *data;
    size_t size;
    size_t first;        /* bytes of block 0 */
    unsigned char *room; /* of the target: PART_BYTES for the caller and each helper, or NULL */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int32_t finished; /* blocks; under the lock */
    size_t done[];    /* bytes, of each block */
} job;

static size_t block_start(const job *self, int32_t block)
{
    return block == 0 ? 0 : self->first + (size_t)(block - 1) * BLOCK_BYTES;
}

static size_t block_size(const job *self, int32_t block)
{
    size_t start = block_start(self, block);
    size_t size = block == 0 ? self->first : BLOCK_BYTES;

    return size < self->size - start ? size : self->size - start;
}

/* Moves bytes between `data` and the target; returns how many. */
static size_t move_bytes(const job *self, bool writing, size_t start, unsigned char *data,
                         size_t size)
{
    size_t moved = 0;
    ssize_t step = 1;

    while (moved < size && step > 0) {
        struct iovec local = {data + moved, size - moved};
        struct iovec remote = {(void *)(uintptr_t)(self->address + start + moved), size - moved};
        off_t offset = (off_t)(self->address + start + moved);

        if (self->memory >= 0) {
            step = writing ? pwrite(self->memory, local.iov_base, local.iov_len, offset)
                           : pread(self->memory, local.iov_base, local.iov_len, offset);
        } else {
            step = writing ? process_vm_writev(self->process, &local, 1, &remote, 1, 0)
                           : process_vm_readv(self->process, &local, 1, &remote, 1, 0);
        }
        moved += step > 0 ? (size_t)step : 0;
    }
    return moved;
}

/* Writes the lower halves of the pointers for these bytes of the target, up to the first pointer
 * that does not fit. */
static size_t narrow_part(const job *self, size_t start, size_t size, unsigned char *room)
{
    pointer_view pointers = {self->data + start * 2, sizeof(uint64_t), size / 4};
    bool check = self->work == LINUX_PARALLEL_NARROW_CHECKED;
    uint64_t wide;
    uint64_t fit = pointer_view_pack(&pointers, 4, check, room, &wide);

    return move_bytes(self, true, start, room, (size_t)fit * 4);
}

/* Compares these bytes. Returns all of them or, if they differ or can't be read, 0. */
static size_t compare_part(const job *self, size_t start, size_t size, unsigned char *room)
{
    bool equal = move_bytes(self, false, start, room, size) == size &&
                 memcmp(room, self->data + start, size) == 0;

    return equal ? size : 0;
}

static void do_block(job *self, int32_t block, unsigned char *room)
{
    size_t start = block_start(self, block), size = block_size(self, block);
    size_t done = 0;
    bool whole = true;

    if (!by_parts(self->work)) {
        done =
            move_bytes(self, self->work == LINUX_PARALLEL_WRITE, start, self->data + start, size);
    } else {
        while (whole && done < size) {
            size_t part = size - done < PART_BYTES ? size - done : PART_BYTES;
            size_t went = self->work == LINUX_PARALLEL_COMPARE
                              ? compare_part(self, start + done, part, room)
                              : narrow_part(self, start + done, part, room);

            done += went;
            whole = went == part;
        }
    }
    self->done[block] = done;
    if (done < size) {
        atomic_i32_store(&self->cut, 1);
    }
}

/* Takes a block and works on it; false: there is none. The caller and its helpers begin at opposite
 * ends, since neighbouring pages share a kernel lock (one for each page of the page table). */
static bool take_block(job *self, bool helping, unsigned char *room)
{
    bool taken = atomic_i32_add(&self->taken, 1) <= self->blocks;

    if (taken) {
        int32_t block = helping ? self->blocks - atomic_i32_add(&self->back, 1)
                                : atomic_i32_add(&self->front, 1) - 1;

        /* The caller waits for a thread that holds a block, and so does the target. */
        if (linux_held_lost(self->target)) {
            atomic_i32_store(&self->cut, 1);
        }
        if (atomic_i32_load(&self->cut) == 0) {
            do_block(self, block, room);
        }
        pthread_mutex_lock(&self->lock);
        self->finished++;
        if (self->finished == self->blocks) {
            pthread_cond_signal(&self->ended);
        }
        pthread_mutex_unlock(&self->lock);
    }
    return taken;
}

/* Returns separate memory for one more thread. */
static unsigned char *take_seat(job *self)
{
    int32_t seat = atomic_i32_add(&self->seats, 1) - 1;

    return self->room == NULL ? NULL : self->room + (size_t)seat * PART_BYTES;
}

static void leave(job *self)
{
    if (atomic_i32_add(&self->users, -1) == 0) {
        pthread_cond_destroy(&self->ended);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

static void *help(void *argument)
{
    unsigned char *room = take_seat(argument);

    while (take_block(argument, true, room)) {
    }
    leave(argument);
    return NULL;
}

/* True if no page of the range can fail. */
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

/* Keeps a new thread off the caller's processor. The system may put it there although another
 * processor is idle (observed with a virtual processor that was halted), and the two threads would
 * then take turns. */
static void keep_away(pthread_t thread)
{
    int current = sched_getcpu();
    cpu_set_t others;

    if (current >= 0 && current < CPU_SETSIZE &&
        sched_getaffinity(0, sizeof others, &others) == 0) {
        CPU_CLR((size_t)current, &others);
        if (CPU_COUNT(&others) > 0) {
            (void)pthread_setaffinity_np(thread, sizeof others, &others);
        }
    }
}

/* Starts detached threads that block all signals of this program. Returns how many were started. */
static int start_helpers(job *self, int count)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int started = 0;

    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (int i = 0; i < count; i++) {
            pthread_t thread;

            (void)atomic_i32_add(&self->users, 1);
            if (pthread_create(&thread, &attributes, help, self) == 0) {
                keep_away(thread);
                (void)pthread_detach(thread);
                started++;
            } else {
                leave(self);
            }
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    return started;
}

/* Allocates PART_BYTES for each thread and keeps them for the next call; NULL if memory is short.
 */
static unsigned char *make_room(linux_target *process, int threads)
{
    size_t size = (size_t)threads * PART_BYTES;

    if (size > process->room_size) {
        free(process->room);
        process->room = malloc(size);
        process->room_size = process->room == NULL ? 0 : size;
    }
    return process->room;
}

static job *prepare(linux_target *process, linux_parallel_work work, uint64_t address,
                    unsigned char *data, size_t size, int helpers)
{
    size_t blocks = (size - 1) / BLOCK_BYTES + 2;
    bool roomy = by_parts(work);
    unsigned char *room = roomy ? make_room(process, helpers + 1) : NULL;
    job *self =
        roomy && room == NULL ? NULL : calloc(1, sizeof *self + blocks * sizeof self->done[0]);

    if (self != NULL) {
        /* No two threads access the same page. */
        self->first = BLOCK_BYTES - (size_t)(address % process->base.page_size);
        self->blocks =
            size <= self->first ? 1 : (int32_t)((size - self->first - 1) / BLOCK_BYTES + 2);
        self->target = process;
        self->process = (pid_t)process->thread;
        self->work = work;
        self->address = address;
        self->data = data;
        self->size = size;
        self->room = room;
        atomic_i32_store(&self->users, 1);
        atomic_i32_store(&self->taken, 0);
        atomic_i32_store(&self->front, 0);
        atomic_i32_store(&self->back, 0);
        atomic_i32_store(&self->cut, 0);
        atomic_i32_store(&self->seats, 0);
        pthread_mutex_init(&self->lock, NULL);
        pthread_cond_init(&self->ended, NULL);
    }
    return self;
}

/* The caller's part: it works on blocks until none are left, and starts helpers if processors are
 * idle. */
static void work_with_helpers(job *self, linux_target *process, int most)
{
    unsigned char *room = take_seat(self);
    int helpers = 0;
    int32_t taken = 0;

    do {
        if (helpers < most && taken % LOOK_EVERY == 0 &&
            atomic_i32_load(&self->taken) < self->blocks - 1) {
            int idle = linux_processors_idle(process);

            helpers += start_helpers(self, idle < most - helpers ? idle : most - helpers);
        }
        taken++;
    } while (take_block(self, false, room));
}

size_t linux_parallel_run(linux_target *process, linux_parallel_work work, uint64_t address,
                          void *data, size_t size)
{
    int usable = linux_processors_usable() - 1;
    int most = usable < MOST_HELPERS ? usable : MOST_HELPERS;
    size_t done = 0;
    bool whole = true;
    bool present;
    job *self = NULL;

    if (size > 0 && (most > 0 || by_parts(work)) &&
        size / BLOCK_BYTES < INT32_MAX - 2 * MOST_HELPERS && process->tracer != NULL &&
        atomic_i32_load(&process->calls_refused) == 0 && !linux_held_lost(process) &&
        !linux_held_ended(process)) {
        present = linux_present_bytes(process, writes(work), address, size) == size;
        if ((present && work == LINUX_PARALLEL_COMPARE) ||
            ((present || process->memory >= 0) && sure(process, address, size) &&
             (work == LINUX_PARALLEL_COMPARE || linux_sharing_alone(process)))) {
            self = prepare(process, work, address, data, size, most);
        }
        if (self != NULL) {
            self->memory = present ? -1 : process->memory;
        }
    }
    if (self == NULL) {
        goto done;
    }
    work_with_helpers(self, process, most);
    pthread_mutex_lock(&self->lock);
    while (self->finished < self->blocks) {
        pthread_cond_wait(&self->ended, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    for (int32_t i = 0; i < self->blocks && whole; i++) {
        done += self->done[i];
        whole = self->done[i] == block_size(self, i);
    }
    leave(self);
done:
    return done;
}
