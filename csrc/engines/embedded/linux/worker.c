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
 */
#define _GNU_SOURCE 1
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../../../base/atomics.h"
#include "process.h"

#define STACK_SIZE    ((size_t)128 * 1024)
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
    stage stage; /* under the lock */
    int memory;  /* the descriptor of an abandoned write, to close; or -1 */
    linux_errand errand;
    ssize_t result; /* bytes, or -errno */
    unsigned char data[LINUX_WORKER_BYTES];
};

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

/* Reads one byte of each page, so that the page is present. Skips a page that can't be read. */
static void touch(const linux_errand *errand)
{
    uint64_t end = errand->address + errand->size;
    uint64_t at = errand->address;
    unsigned char bytes[PAGES_AT_MOST];
    struct iovec pages[PAGES_AT_MOST];
    bool refused = false;

    while (at < end && !refused) {
        struct iovec local = {bytes, 0};
        uint64_t next = at;
        ssize_t got;

        for (; local.iov_len < PAGES_AT_MOST && next < end; local.iov_len++) {
            pages[local.iov_len] = (struct iovec){(void *)(uintptr_t)next, 1};
            next = next - next % errand->page_size + errand->page_size;
        }
        got = process_vm_readv(errand->process, &local, 1, pages, local.iov_len, 0);
        refused = got < 0 && errno != EFAULT;
        got = got < 0 ? 0 : got;
        if ((size_t)got < local.iov_len) {
            at = (uint64_t)(uintptr_t)pages[got].iov_base;
            next = at - at % errand->page_size + errand->page_size;
        }
        at = next;
    }
}

static ssize_t move(const linux_errand *errand, unsigned char *data)
{
    struct iovec local = {data, errand->size};
    struct iovec remote = {(void *)(uintptr_t)errand->address, errand->size};
    off_t offset = (off_t)errand->address;
    ssize_t done;

    if (errand->memory < 0) {
        done = errand->writing ? process_vm_writev(errand->process, &local, 1, &remote, 1, 0)
                               : process_vm_readv(errand->process, &local, 1, &remote, 1, 0);
    } else {
        done = errand->writing ? pwrite(errand->memory, data, errand->size, offset)
                               : pread(errand->memory, data, errand->size, offset);
    }
    return done < 0 ? -errno : done;
}

/* Advances from one stage to another, unless the session no longer waits. */
static bool advance(linux_worker *self, stage from, stage to)
{
    bool wanted;

    pthread_mutex_lock(&self->lock);
    wanted = self->stage == from;
    if (wanted) {
        self->stage = to;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return wanted;
}

static bool await_errand(linux_worker *self)
{
    bool wanted;

    pthread_mutex_lock(&self->lock);
    while (self->stage == STAGE_IDLE || self->stage == STAGE_DONE) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    wanted = self->stage == STAGE_TOUCHING;
    pthread_mutex_unlock(&self->lock);
    return wanted;
}

static void *worker_main(void *argument)
{
    linux_worker *self = argument;
    bool wanted = true;

    while (wanted && await_errand(self)) {
        touch(&self->errand);
        wanted = advance(self, STAGE_TOUCHING, STAGE_MOVING);
        if (wanted) {
            self->result = move(&self->errand, self->data);
            wanted = advance(self, STAGE_MOVING, STAGE_DONE);
        }
    }
    leave(self);
    return NULL;
}

/* ---- its owner's -------------------------------------------------------------------------- */

/* Starts the thread, with all signals of this program blocked. */
static bool start(linux_worker *self)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    bool started = false;

    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        started = pthread_create(&self->thread, &attributes, worker_main, self) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    return started;
}

static linux_worker *create(void)
{
    linux_worker *self = malloc(sizeof *self);
    pthread_condattr_t attributes;

    if (self != NULL) {
        self->stage = STAGE_IDLE;
        self->memory = -1;
        atomic_i32_store(&self->users, 2);
        pthread_mutex_init(&self->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&self->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        if (!start(self)) {
            leave(self);
            leave(self);
            self = NULL;
        }
    }
    return self;
}

/* Waits under the lock until the errand is done or one turn is over. */
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
    while (failure == 0 && self->stage != STAGE_DONE) {
        failure = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
}

ssize_t linux_worker_move(linux_worker **self, const linux_errand *errand, unsigned char *data,
                          bool (*goes_on)(void))
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
    if (errand->writing) {
        memcpy(worker->data, data, errand->size);
    }
    pthread_mutex_lock(&worker->lock);
    worker->errand = *errand;
    worker->stage = STAGE_TOUCHING;
    pthread_cond_broadcast(&worker->changed);
    wait_a_turn(worker);
    while (worker->stage != STAGE_DONE && turns_left > 0) {
        if (waiting) {
            pthread_mutex_unlock(&worker->lock);
            waiting = goes_on == NULL || goes_on();
            pthread_mutex_lock(&worker->lock);
        }
        if (waiting || (worker->stage == STAGE_MOVING && errand->writing)) {
            turns_left -= waiting ? 0 : 1;
            wait_a_turn(worker);
        } else {
            turns_left = 0;
        }
    }
    at = worker->stage;
    worker->stage = at == STAGE_DONE ? STAGE_IDLE : STAGE_LEFT;
    if (at == STAGE_MOVING && errand->writing) {
        worker->memory = errand->memory;
    }
    result = worker->result;
    pthread_mutex_unlock(&worker->lock);
    if (at != STAGE_DONE) {
        (void)pthread_detach(worker->thread);
        leave(worker);
        *self = NULL;
        result = at == STAGE_MOVING && errand->writing ? -EINPROGRESS : -EINTR;
    } else if (result > 0 && !errand->writing) {
        memcpy(data, worker->data, (size_t)result);
    }
    return result;
}

void linux_worker_free(linux_worker *self)
{
    if (self != NULL) {
        pthread_mutex_lock(&self->lock);
        self->stage = STAGE_LEFT;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        (void)pthread_join(self->thread, NULL); /* it is idle; otherwise it would be abandoned */
        leave(self);
    }
}
