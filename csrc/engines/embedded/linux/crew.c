/* Several threads carry out one piece of work, block by block; see crew.h.
 *
 * Each thread takes one block after the other. The caller checks repeatedly for idle processors and
 * starts a helper for each. On a busy machine a helper may not run for a while. The caller then
 * does all the work, and does not wait for a helper that has taken no block. Such a helper runs
 * late, finds no block and ends.
 */
#define _GNU_SOURCE 1
#include "crew.h"

#include <stdlib.h>

#include "helper.h"
#include "processors.h"

#define MOST_HELPERS 7
/* The caller works on this many blocks before it checks for idle processors again. */
#define LOOK_EVERY 2

/* Shared by the caller and its helpers; the last one to leave frees it. Only a thread that has
 * taken a block accesses the work's context. */
typedef struct crew {
    atomic_i32 users;
    atomic_i32 taken; /* blocks taken; none are left once it reaches the number of blocks */
    atomic_i32 front; /* blocks that the caller took, from the front */
    atomic_i32 back;  /* blocks that helpers took, from the back */
    atomic_i32 cut;   /* a block was not completed: no more need be started */
    atomic_i32 seats;
    linux_crew_work work;
    linux_target *target;
    unsigned char *room; /* of the target: room_size for the caller and each helper, or NULL */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int32_t finished; /* blocks; under the lock */
} crew;

int linux_crew_most(void)
{
    int usable = linux_processors_usable() - 1;

    return usable < MOST_HELPERS ? usable : MOST_HELPERS;
}

bool linux_crew_can_work(const linux_target *process)
{
    return process->tracer != NULL && atomic_i32_load(&process->calls_refused) == 0 &&
           !linux_held_lost(process) && !linux_held_ended(process);
}

/* Takes a block and works on it; false: there is none. The caller and its helpers begin at opposite
 * ends, since neighbouring pages share a kernel lock (one for each page of the page table). */
static bool take_block(crew *self, bool helping, unsigned char *room)
{
    bool taken = atomic_i32_add(&self->taken, 1) <= self->work.blocks;

    if (taken) {
        int32_t block = helping ? self->work.blocks - atomic_i32_add(&self->back, 1)
                                : atomic_i32_add(&self->front, 1) - 1;

        /* The caller waits for a thread that holds a block, and so does the target. */
        if (linux_held_lost(self->target)) {
            atomic_i32_store(&self->cut, 1);
        }
        if (atomic_i32_load(&self->cut) == 0 &&
            !self->work.do_block(self->work.context, block, room)) {
            atomic_i32_store(&self->cut, 1);
        }
        pthread_mutex_lock(&self->lock);
        self->finished++;
        if (self->finished == self->work.blocks) {
            pthread_cond_signal(&self->ended);
        }
        pthread_mutex_unlock(&self->lock);
    }
    return taken;
}

/* Returns separate memory for one more thread. */
static unsigned char *take_seat(crew *self)
{
    int32_t seat = atomic_i32_add(&self->seats, 1) - 1;

    return self->room == NULL ? NULL : self->room + (size_t)seat * self->work.room_size;
}

static void leave(crew *self)
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

/* Starts detached threads. Returns how many were started. */
static int start_helpers(crew *self, int count)
{
    int started = 0;

    for (int i = 0; i < count; i++) {
        pthread_t thread;

        (void)atomic_i32_add(&self->users, 1);
        if (linux_helper_start(&thread, help, self)) {
            (void)pthread_detach(thread);
            started++;
        } else {
            leave(self);
        }
    }
    return started;
}

/* Allocates `size` bytes for each thread and keeps them for the next call; NULL if memory is short.
 */
static unsigned char *make_room(linux_target *process, int threads, size_t size)
{
    size *= (size_t)threads;
    if (size > process->room_size) {
        free(process->room);
        process->room = malloc(size);
        process->room_size = process->room == NULL ? 0 : size;
    }
    return process->room;
}

static crew *prepare(linux_target *process, const linux_crew_work *work, int helpers)
{
    unsigned char *room =
        work->room_size > 0 ? make_room(process, helpers + 1, work->room_size) : NULL;
    crew *self = work->room_size > 0 && room == NULL ? NULL : calloc(1, sizeof *self);

    if (self != NULL) {
        self->work = *work;
        self->target = process;
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
static void work_with_helpers(crew *self, linux_target *process, int most)
{
    unsigned char *room = take_seat(self);
    int helpers = 0;
    int32_t taken = 0;

    do {
        if (helpers < most && taken % LOOK_EVERY == 0 &&
            atomic_i32_load(&self->taken) < self->work.blocks - 1) {
            int idle = linux_processors_idle(process);

            helpers += start_helpers(self, idle < most - helpers ? idle : most - helpers);
        }
        taken++;
    } while (take_block(self, false, room));
}

bool linux_crew_run(linux_target *process, const linux_crew_work *work, int helpers, bool *whole)
{
    crew *self = prepare(process, work, helpers);

    if (self == NULL) {
        return false;
    }
    work_with_helpers(self, process, helpers);
    pthread_mutex_lock(&self->lock);
    while (self->finished < work->blocks) {
        pthread_cond_wait(&self->ended, &self->lock);
    }
    *whole = atomic_i32_load(&self->cut) == 0;
    pthread_mutex_unlock(&self->lock);
    leave(self);
    return true;
}
