/* A large range of a stopped Linux process, moved by several threads.
 *
 * One processor copies less than memory can take, and the kernel's look-up of the target's pages is
 * work for the processor as well. "In order, stop at the first failure" holds where no page can
 * fail: the whole range is anonymous private memory that the process may read and write, its map
 * can't change while all its threads stand still and no other process uses it, and what ends it
 * ends the session too. (A file's pages may be missing behind its end. A guard page of
 * MADV_GUARD_INSTALL, Linux 6.13, is not in the map: a large write over one stops there, but may
 * have written behind it as well.)
 *
 * The range is cut into blocks, and each thread takes the next one. On a busy machine a helper may
 * not run for a while: the caller then does all of it, and does not wait for a helper that has
 * taken no block. Such a one comes too late, finds nothing to do and ends.
 */
#define _GNU_SOURCE 1
#include "linux_ranges.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux_process.h"

#define MOST_HELPERS 7
/* Some 50 microseconds of work; the caller waits for at most one of them of each helper. */
#define BLOCK_BYTES ((size_t)512 * 1024)
#define STACK_SIZE  ((size_t)128 * 1024)

/* Shared by the caller and its helpers; the last one that leaves frees it. Only who has taken a
 * block touches the caller's memory. */
typedef struct job {
    atomic_i32 users;
    atomic_i32 next; /* the block to take; none left where it is not below `blocks` */
    int32_t blocks;
    pid_t process;
    bool writing;
    uint64_t address; /* of block 0, which is shorter where that lets the others begin at a page */
    unsigned char *data;
    size_t size;
    size_t first; /* bytes of block 0 */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int32_t finished; /* blocks; under the lock */
    size_t done[];    /* bytes moved, of each block */
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

static void move_block(job *self, int32_t block)
{
    size_t start = block_start(self, block), size = block_size(self, block);
    size_t moved = 0;
    ssize_t step = 1;

    while (moved < size && step > 0) {
        struct iovec local = {self->data + start + moved, size - moved};
        struct iovec remote = {(void *)(uintptr_t)(self->address + start + moved), size - moved};

        step = self->writing ? process_vm_writev(self->process, &local, 1, &remote, 1, 0)
                             : process_vm_readv(self->process, &local, 1, &remote, 1, 0);
        moved += step > 0 ? (size_t)step : 0;
    }
    self->done[block] = moved;
}

/* Takes blocks until there are none. */
static void work(job *self)
{
    int32_t block;

    while ((block = atomic_i32_add(&self->next, 1) - 1) < self->blocks) {
        move_block(self, block);
        pthread_mutex_lock(&self->lock);
        self->finished++;
        if (self->finished == self->blocks) {
            pthread_cond_signal(&self->ended);
        }
        pthread_mutex_unlock(&self->lock);
    }
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
    work(argument);
    leave(argument);
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

/* Tasks of the whole machine that run or want to, this one included: the fourth number of
 * /proc/loadavg (proc_loadavg(5)). The descriptor is kept, since opening takes four times as long
 * as reading. 0: unknown. */
static long runnable_tasks(linux_target *process)
{
    char text[128];
    ssize_t got = -1;
    const char *at = text;

    if (process->load < 0) {
        process->load = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    }
    if (process->load >= 0) {
        got = pread(process->load, text, sizeof text - 1, 0);
    }
    text[got > 0 ? got : 0] = '\0';
    for (int blanks = 0; blanks < 3 && at != NULL; blanks++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL ? 0 : strtol(at, NULL, 10);
}

/* Processors that this thread may use besides the one it is on, and that have nothing to do now: a
 * helper that has to share one makes the caller wait for it. */
static int idle_processors(linux_target *process)
{
    int usable = 0;
    long idle = 0;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        usable = CPU_COUNT(&set) - 1;
    }
    if (usable > 0) {
        if (process->processors == 0) {
            process->processors = sysconf(_SC_NPROCESSORS_ONLN); /* reads a file, too */
        }
        idle = process->processors - runnable_tasks(process);
    }
    return idle < usable ? (int)(idle > 0 ? idle : 0) : usable;
}

/* Threads that no signal of this program goes to, and that nobody joins. */
static void start_helpers(job *self, int count)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (int i = 0; i < count; i++) {
            pthread_t thread;

            (void)atomic_i32_add(&self->users, 1);
            if (pthread_create(&thread, &attributes, help, self) != 0) {
                leave(self);
            }
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
}

static job *prepare(const linux_target *process, bool writing, uint64_t address,
                    unsigned char *data, size_t size)
{
    size_t blocks = (size - 1) / BLOCK_BYTES + 2;
    job *self = calloc(1, sizeof *self + blocks * sizeof self->done[0]);

    if (self != NULL) {
        /* No two threads touch the same page. */
        self->first = BLOCK_BYTES - (size_t)(address % process->base.page_size);
        self->blocks =
            size <= self->first ? 1 : (int32_t)((size - self->first - 1) / BLOCK_BYTES + 2);
        self->process = (pid_t)process->base.process_id;
        self->writing = writing;
        self->address = address;
        self->data = data;
        self->size = size;
        atomic_i32_store(&self->users, 1);
        atomic_i32_store(&self->next, 0);
        pthread_mutex_init(&self->lock, NULL);
        pthread_cond_init(&self->ended, NULL);
    }
    return self;
}

size_t linux_parallel_move(linux_target *process, bool writing, uint64_t address,
                           unsigned char *data, size_t size)
{
    int helpers = idle_processors(process);
    size_t moved = 0;
    bool whole = true;
    job *self = NULL;

    if (helpers > 0 && size / BLOCK_BYTES < INT32_MAX - 2 * MOST_HELPERS &&
        process->tracer != NULL && atomic_i32_load(&process->calls_refused) == 0 &&
        linux_memory_accessible(&process->base) == S_OK && !linux_pidfd_ended(process->pidfd) &&
        sure(process, address, size) && linux_ranges_alone(process)) {
        self = prepare(process, writing, address, data, size);
    }
    if (self == NULL) {
        goto done;
    }
    start_helpers(self, helpers < MOST_HELPERS ? helpers : MOST_HELPERS);
    work(self);
    pthread_mutex_lock(&self->lock);
    while (self->finished < self->blocks) {
        pthread_cond_wait(&self->ended, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    for (int32_t i = 0; i < self->blocks && whole; i++) {
        moved += self->done[i];
        whole = self->done[i] == block_size(self, i);
    }
    leave(self);
done:
    return moved;
}
