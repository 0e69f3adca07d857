/* Transfers that may sleep in the kernel without limit; see worker.h.
 *
 * The file system fills a page of a file. It may be a program (FUSE) or another machine (NFS) that
 * does not respond. A thread that accesses such a page sleeps, and only SIGKILL to the whole
 * process ends that. So the session's thread never accesses such a page: it waits for the worker
 * thread, and abandons the worker if it must stop waiting.
 *
 * The worker first reads one byte of each page with process_vm_readv, and moves data only after
 * that, if the transfer is still wanted. Most waiting is over by then, so no late write occurs. The
 * sleep of that call also ends with the process; a sleep in /proc/PID/mem may not (mm/filemap.c,
 * __folio_lock).
 *
 * The data passes through the worker's own memory, so late work affects only that memory.
 *
 * Each errand costs two wake-ups, of the worker and of its owner. Neither spins for a while
 * instead: that was slower wherever another thread could use the processor.
 */
#define _GNU_SOURCE 1
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../../../base/atomics.h"
#include "helper.h"
#include "process.h"

#define PAGES_AT_MOST 64
#define ASK_EVERY_MS  50
/* The number of further turns for which a transfer that has begun is awaited. */
#define LAST_TURNS 4

typedef enum stage {
    STAGE_IDLE,
    STAGE_TOUCHING, /* the errand is set, and no data has moved */
    STAGE_MOVING,
    STAGE_DONE,
    STAGE_LEFT /* the session no longer waits for the worker */
} stage;

/* The worker and its owner share this. The last of the two to leave frees it. */
struct linux_worker {
    atomic_i32 users;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_i32 stage; /* changes under the lock */
    int memory;       /* the descriptor of an abandoned write, to close; or -1 */
    linux_errand errand;
    size_t size;    /* of all its ranges */
    ssize_t result; /* bytes, or -errno */
    struct iovec ranges[LINUX_WORKER_RANGES];
    unsigned char data[LINUX_WORKER_BYTES];
};

static stage stage_of(const linux_worker *self)
{
    return (stage)atomic_i32_load(&self->stage);
}

static void leave(linux_worker *self)
{
    if (atomic_i32_add(&self->users, -1) == 0) {
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->lock);
        linux_close(&self->memory);
        free(self);
    }
}

/* ---- in the worker ----------------------------------------------------------------------- */

/* A list of pages to read a byte of. */
typedef struct touching {
    struct iovec pages[PAGES_AT_MOST];
    size_t count;
    bool refused;
} touching;

/* Reads the bytes. Skips a page that can't be read. */
static void read_pages(touching *self, pid_t process)
{
    unsigned char bytes[PAGES_AT_MOST];
    size_t done = 0;

    while (done < self->count && !self->refused) {
        struct iovec local = {bytes, self->count - done};
        ssize_t got =
            process_vm_readv(process, &local, 1, self->pages + done, self->count - done, 0);

        self->refused = got < 0 && errno != EFAULT;
        done += got < 0 ? 0 : (size_t)got;
        done += done < self->count ? 1 : 0;
    }
    self->count = 0;
}

/* Reads one byte of each page of the ranges, so that it is present. */
static void touch(const linux_worker *self)
{
    const linux_errand *errand = &self->errand;
    uint64_t touched = 1; /* the start of the last page; this is none */
    touching list = {.count = 0};

    for (size_t i = 0; i < errand->count && !list.refused; i++) {
        uint64_t at = (uint64_t)(uintptr_t)self->ranges[i].iov_base;
        uint64_t last = at + self->ranges[i].iov_len - 1;

        for (at -= at % errand->page_size; at <= last; at += errand->page_size) {
            if (at != touched) {
                list.pages[list.count++] = (struct iovec){(void *)(uintptr_t)at, 1};
                touched = at;
            }
            if (list.count == PAGES_AT_MOST) {
                read_pages(&list, errand->process);
            }
        }
    }
    read_pages(&list, errand->process);
}

/* Moves the ranges through /proc/PID/mem. */
static ssize_t move_by_file(linux_worker *self)
{
    const linux_errand *errand = &self->errand;
    size_t moved = 0, expected = 0;
    ssize_t done = 0;

    for (size_t i = 0; i < errand->count && moved == expected; i++) {
        size_t size = self->ranges[i].iov_len;
        off_t offset = (off_t)(uintptr_t)self->ranges[i].iov_base;

        done = errand->writing ? pwrite(errand->memory, self->data + moved, size, offset)
                               : pread(errand->memory, self->data + moved, size, offset);
        moved += done > 0 ? (size_t)done : 0;
        expected += size;
    }
    return moved > 0 ? (ssize_t)moved : done;
}

static ssize_t move(linux_worker *self)
{
    const linux_errand *errand = &self->errand;
    struct iovec local = {self->data, self->size};
    ssize_t done;

    if (errand->memory >= 0) {
        done = move_by_file(self);
    } else if (errand->writing) {
        done = process_vm_writev(errand->process, &local, 1, self->ranges, errand->count, 0);
    } else {
        done = process_vm_readv(errand->process, &local, 1, self->ranges, errand->count, 0);
    }
    return done < 0 ? -errno : done;
}

/* Advances from one stage to another, unless the session no longer waits. */
static bool advance(linux_worker *self, stage from, stage to)
{
    bool wanted;

    pthread_mutex_lock(&self->lock);
    wanted = stage_of(self) == from;
    if (wanted) {
        atomic_i32_store(&self->stage, to);
    }
    pthread_mutex_unlock(&self->lock);
    return wanted;
}

static bool has_errand(const linux_worker *self)
{
    stage at = stage_of(self);

    return at != STAGE_IDLE && at != STAGE_DONE;
}

static bool await_errand(linux_worker *self)
{
    bool wanted;

    pthread_mutex_lock(&self->lock);
    while (!has_errand(self)) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    wanted = stage_of(self) == STAGE_TOUCHING;
    pthread_mutex_unlock(&self->lock);
    return wanted;
}

static void *worker_main(void *argument)
{
    linux_worker *self = argument;
    bool wanted = true;

    while (wanted && await_errand(self)) {
        /* A late read does no harm, and process_vm_readv() needs no earlier one. */
        if (self->errand.writing || self->errand.memory >= 0) {
            touch(self);
        }
        wanted = advance(self, STAGE_TOUCHING, STAGE_MOVING);
        if (wanted) {
            self->result = move(self);
            wanted = advance(self, STAGE_MOVING, STAGE_DONE);
            pthread_cond_signal(&self->changed);
        }
    }
    leave(self);
    return NULL;
}

/* ---- its owner's -------------------------------------------------------------------------- */

static linux_worker *create(void)
{
    linux_worker *self = malloc(sizeof *self);
    pthread_condattr_t attributes;

    if (self != NULL) {
        atomic_i32_store(&self->stage, STAGE_IDLE);
        self->memory = -1;
        atomic_i32_store(&self->users, 2);
        pthread_mutex_init(&self->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&self->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        if (!linux_thread_start(&self->thread, worker_main, self)) {
            leave(self);
            leave(self);
            self = NULL;
        }
    }
    return self;
}

/* Waits until the errand is done or one turn is over. */
static void wait_a_turn(linux_worker *self)
{
    struct timespec until;
    int failure = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ASK_EVERY_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&self->lock);
    while (failure == 0 && stage_of(self) != STAGE_DONE) {
        failure = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    pthread_mutex_unlock(&self->lock);
}

/* Hands the errand to the worker, with copies of all that it needs. */
static void hand_over(linux_worker *self, const linux_errand *errand)
{
    self->errand = *errand;
    self->size = 0;
    for (size_t i = 0; i < errand->count; i++) {
        const pointer_range *range = &errand->ranges[i];

        self->ranges[i].iov_base = (void *)(uintptr_t)range->Offset;
        self->ranges[i].iov_len = (size_t)range->Size;
        if (errand->writing) {
            memcpy(self->data + self->size, range->Data, (size_t)range->Size);
        }
        self->size += (size_t)range->Size;
    }
    (void)advance(self, STAGE_IDLE, STAGE_TOUCHING);
    pthread_cond_signal(&self->changed);
}

/* Gives the caller what was read. */
static void take_back(const linux_worker *self, const linux_errand *errand)
{
    size_t left = self->result > 0 && !errand->writing ? (size_t)self->result : 0;
    const unsigned char *data = self->data;

    for (size_t i = 0; left > 0; i++) {
        size_t size = (size_t)errand->ranges[i].Size;

        size = size < left ? size : left;
        memcpy(errand->ranges[i].Data, data, size);
        data += size;
        left -= size;
    }
}

ssize_t linux_worker_move(linux_worker **self, const linux_errand *errand, bool (*goes_on)(void))
{
    linux_worker *worker = *self == NULL ? create() : *self;
    bool waiting = true;
    int turns_left = LAST_TURNS;
    ssize_t result;
    stage at;

    *self = worker;
    if (worker == NULL) {
        return -ENOMEM;
    }
    hand_over(worker, errand);
    wait_a_turn(worker);
    while (stage_of(worker) != STAGE_DONE && turns_left > 0) {
        waiting = waiting && (goes_on == NULL || goes_on());
        if (waiting || (stage_of(worker) == STAGE_MOVING && errand->writing)) {
            turns_left -= waiting ? 0 : 1;
            wait_a_turn(worker);
        } else {
            turns_left = 0;
        }
    }
    pthread_mutex_lock(&worker->lock);
    at = stage_of(worker);
    atomic_i32_store(&worker->stage, at == STAGE_DONE ? STAGE_IDLE : STAGE_LEFT);
    if (at == STAGE_MOVING && errand->writing) {
        worker->memory = errand->memory;
    }
    pthread_mutex_unlock(&worker->lock);
    if (at != STAGE_DONE) {
        (void)pthread_detach(worker->thread);
        leave(worker);
        *self = NULL;
        result = at == STAGE_MOVING && errand->writing ? -EINPROGRESS : -EINTR;
    } else {
        result = worker->result;
        take_back(worker, errand);
    }
    return result;
}

void linux_worker_free(linux_worker *self)
{
    if (self != NULL) {
        pthread_mutex_lock(&self->lock);
        atomic_i32_store(&self->stage, STAGE_LEFT);
        pthread_mutex_unlock(&self->lock);
        pthread_cond_signal(&self->changed);
        (void)pthread_join(self->thread, NULL); /* it is idle; otherwise it would be abandoned */
        leave(self);
    }
}
