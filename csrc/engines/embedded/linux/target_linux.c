/* A live Linux process as a target of the embedded engine: opening it and letting it go. */
#define _GNU_SOURCE 1
#include "target_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "held.h"
#include "maps.h"
#include "memory.h"
#include "process.h"
#include "ranges.h"
#include "tracer.h"

static linux_open_error fail(linux_open_failure failure, const char *operation, int os_error,
                             int64_t detail)
{
    return (linux_open_error){failure, os_error, operation, detail};
}

/* For a file of /proc: that it is missing means that the process has ended. */
static linux_open_error fail_file(const char *operation, int os_error)
{
    linux_open_failure failure = LINUX_OPEN_SYSTEM;

    if (os_error == ENOENT || os_error == ESRCH) {
        failure = LINUX_OPEN_NO_PROCESS;
    } else if (os_error == EPERM || os_error == EACCES) {
        failure = LINUX_OPEN_PERMISSION;
    }
    return fail(failure, operation, os_error, 0);
}

/* Takes the status of a launched process that has died or is about to: nobody else will. */
static void reap(const linux_target *process)
{
    struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
    siginfo_t info = {.si_pid = 0};

    if (process->launched && poll(&end, 1, 5000) > 0) {
        waitid(P_PID, (id_t)process->base.process_id, &info, WEXITED | WNOHANG | __WALL);
    }
}

/* Has it died while it was held? The tracer may not have come to see that yet. */
static bool died_held(const linux_target *process)
{
    linux_stat stat;

    return linux_tracer_gone(process->tracer) ||
           (linux_process_stat((int32_t)process->base.process_id, 0, &stat) == 0 &&
            (stat.state == 'Z' || stat.state == 'X'));
}

static void let_go(linux_target *process)
{
    pthread_mutex_lock(&process->lock);
    atomic_i32_store(&process->let_go, 1);
    if (process->tracer != NULL) {
        bool died = died_held(process);

        linux_tracer_end(process->tracer);
        if (died) {
            reap(process); /* one that ends after it was let go is its parent's: ours */
        }
    }
    pthread_mutex_unlock(&process->lock);
}

/* In a forked child the tracer and the lock's holder don't exist, and nothing here is the child's
 * to let go. */
static bool foreign(const linux_target *process)
{
    return process->creator != getpid();
}

static HRESULT accessible(embedded_target *self)
{
    return linux_held_lost((const linux_target *)self) ? E_UNEXPECTED : S_OK;
}

static HRESULT detach(embedded_target *self)
{
    linux_target *process = (linux_target *)self;

    if (!foreign(process) && atomic_i32_load(&process->let_go) == 0) {
        let_go(process);
    }
    return S_OK;
}

static HRESULT terminate(embedded_target *self)
{
    linux_target *process = (linux_target *)self;
    HRESULT result = S_OK;
    int failure;

    if (foreign(process) || atomic_i32_load(&process->let_go) != 0) {
        goto done;
    }
    failure = linux_pidfd_signal(process->pidfd, SIGKILL);
    if (failure != 0 && failure != ESRCH) {
        result = failure == EPERM ? HR_ACCESS_DENIED : HR_GEN_FAILURE;
        goto done;
    }
    let_go(process);
    reap(process);
done:
    return result;
}

static void destroy(embedded_target *self)
{
    linux_target *process = (linux_target *)self;

    detach(self);
    if (process->tracer != NULL) {
        linux_tracer_free(process->tracer);
    }
    linux_close(&process->pidfd);
    linux_close(&process->memory);
    linux_close(&process->maps);
    linux_close(&process->load);
    free(process->room);
    if (!foreign(process)) {
        pthread_mutex_destroy(&process->lock);
    }
    free(process);
}

static const embedded_target_operations operations = {.accessible = accessible,
                                                      .read = linux_memory_read,
                                                      .write = linux_memory_write,
                                                      .query = linux_memory_query,
                                                      .move_ranges = linux_ranges_move,
                                                      .write_narrow = linux_memory_write_narrow,
                                                      .count_equal = linux_memory_count_equal,
                                                      .span_region = linux_ranges_span_region,
                                                      .detach = detach,
                                                      .terminate = terminate,
                                                      .destroy = destroy};

static linux_target *create(bool writable)
{
    linux_target *process = calloc(1, sizeof *process);

    if (process != NULL) {
        process->base.operations = &operations;
        process->base.page_size = (uint32_t)sysconf(_SC_PAGESIZE);
        process->base.granule = process->base.page_size;
        process->pidfd = -1;
        process->memory = -1;
        process->maps = -1;
        process->load = -1;
        process->writable = writable;
        process->creator = getpid();
        pthread_mutex_init(&process->lock, NULL);
    }
    return process;
}

/* Pins the process: from here on its id can be checked against a reuse. */
static linux_open_error pin(linux_target *process, int32_t id)
{
    linux_open_error error = fail(LINUX_OPEN_OK, NULL, 0, 0);
    int failure;
    int32_t owner;

    process->pidfd = linux_pidfd_open(id, 0);
    if (process->pidfd < 0) {
        failure = errno;
        /* EINVAL, newer ENOENT: the id of a thread that leads no process (pidfd_open(2)). */
        owner = linux_process_of_thread(id);
        error = owner != 0 && owner != id
                    ? fail(LINUX_OPEN_NOT_A_PROCESS, "pidfd_open", failure, owner)
                    : fail_file("pidfd_open", failure);
    }
    return error;
}

/* Is the pinned process one that can be opened? */
static linux_open_error examine(const linux_target *process, int32_t id, linux_stat *stat)
{
    linux_open_error error = fail(LINUX_OPEN_OK, NULL, 0, 0);
    int failure = 0;
    int attempt;

    /* A dead leader with live threads may be the moment within an execve by one of these, which
     * then takes its place (fs/exec.c, de_thread): give it a second. */
    for (attempt = 0; attempt < 500; attempt++) {
        failure = linux_process_stat(id, 0, stat);
        if (failure != 0 || (stat->state != 'Z' && stat->state != 'X') || stat->threads == 1) {
            break;
        }
        poll(NULL, 0, 2);
    }
    if (failure == ENOENT && !linux_pidfd_ended(process->pidfd)) {
        /* It lives and /proc does not show it: mounted with hidepid (proc(5)). */
        error = fail(LINUX_OPEN_PERMISSION, "open(/proc/PID/stat)", failure, 0);
    } else if (failure != 0) {
        error = fail_file("open(/proc/PID/stat)", failure);
    } else if (stat->kernel_thread) {
        error = fail(LINUX_OPEN_KERNEL_THREAD, NULL, 0, 0);
    } else if (stat->state == 'Z' || stat->state == 'X') {
        error = fail(LINUX_OPEN_ZOMBIE, NULL, 0, 0);
    }
    return error;
}

static linux_open_error identify(linux_target *process, int32_t id, linux_stat *stat)
{
    linux_open_error error;

    if (id == getpid()) {
        error = fail(LINUX_OPEN_OWN_PROCESS, NULL, 0, 0);
    } else if (id <= 0) {
        error = fail(LINUX_OPEN_NO_PROCESS, NULL, ESRCH, 0);
    } else {
        error = pin(process, id);
    }
    if (error.failure == LINUX_OPEN_OK) {
        error = examine(process, id, stat);
    }
    if (error.failure == LINUX_OPEN_OK) {
        process->base.process_id = (uint32_t)id;
    }
    return error;
}

/* Opens the files of the process and makes sure that all of them are of one program, the one that
 * was identified: of a stopped process they are; a running one may exec between two of them. */
static linux_open_error open_files(linux_target *process, uint64_t start_time)
{
    int32_t id = (int32_t)process->base.process_id;
    linux_open_error error = fail(LINUX_OPEN_OK, NULL, 0, 0);
    linux_stat stat;
    linux_region region;
    int failure;

    process->memory = linux_process_open(id, "mem", process->writable ? O_RDWR : O_RDONLY);
    if (process->memory < 0) {
        error = fail_file("open(/proc/PID/mem)", errno);
        goto done;
    }
    process->maps = linux_process_open(id, "maps", O_RDONLY);
    if (process->maps < 0) {
        error = fail_file("open(/proc/PID/maps)", errno);
        goto done;
    }
    failure = linux_process_pointer_size(id, &process->base.pointer_size);
    if (failure != 0) {
        error = failure == ENOEXEC ? fail(LINUX_OPEN_SYSTEM, "read(/proc/PID/exe)", failure, 0)
                                   : fail_file("open(/proc/PID/exe)", failure);
        goto done;
    }
    failure = linux_process_stat(id, 0, &stat);
    if (failure != 0) {
        error = fail_file("open(/proc/PID/stat)", failure);
        goto done;
    }
    if (stat.start_time != start_time || linux_pidfd_ended(process->pidfd) ||
        (process->tracer != NULL && linux_tracer_gone(process->tracer))) {
        error = fail(LINUX_OPEN_NO_PROCESS, NULL, ESRCH, 0);
        goto done;
    }
    failure = linux_maps_find(process->maps, 0, &region);
    if (failure == ESRCH || failure == ENOENT) {
        /* That memory has gone, yet the process lives: it ran an execve. The caller tries again. */
        error = fail(LINUX_OPEN_SYSTEM, "open(/proc/PID/mem)", EAGAIN, 0);
    }
done:
    return error;
}

embedded_target *linux_attach(const linux_attach_options *options, linux_open_error *error)
{
    linux_target *process = create(options->writable);
    linux_stat stat = {.state = '?'};
    embedded_target *opened = NULL;
    int attempt;

    if (process == NULL) {
        *error = fail(LINUX_OPEN_SYSTEM, "calloc", ENOMEM, 0);
        goto done;
    }
    *error = identify(process, options->process_id, &stat);
    if (error->failure == LINUX_OPEN_OK && options->suspend) {
        process->tracer = linux_tracer_start(options->process_id, NULL, &options->waiting, error);
    }
    for (attempt = 0; attempt < 8 && error->failure == LINUX_OPEN_OK; attempt++) {
        *error = open_files(process, stat.start_time);
        if (error->os_error != EAGAIN) {
            break;
        }
        linux_close(&process->memory);
        linux_close(&process->maps);
        if (attempt < 7) {
            error->failure = LINUX_OPEN_OK;
        }
    }
    if (error->failure == LINUX_OPEN_OK) {
        process->base.stopped = process->tracer != NULL;
        opened = &process->base;
    } else {
        destroy(&process->base);
    }
done:
    return opened;
}

embedded_target *linux_launch(const linux_launch_options *options, linux_open_error *error)
{
    linux_target *process = create(options->writable);
    linux_stat stat = {.state = '?'};
    siginfo_t info = {.si_pid = 0};
    embedded_target *opened = NULL;

    if (process == NULL) {
        *error = fail(LINUX_OPEN_SYSTEM, "calloc", ENOMEM, 0);
        goto done;
    }
    *error = fail(LINUX_OPEN_OK, NULL, 0, 0);
    process->tracer = linux_tracer_start(0, options, &options->waiting, error);
    if (process->tracer != NULL) {
        *error = identify(process, process->tracer->process, &stat);
    }
    if (error->failure == LINUX_OPEN_OK) {
        *error = open_files(process, stat.start_time);
        process->launched = error->failure == LINUX_OPEN_OK;
    }
    if (error->failure == LINUX_OPEN_OK) {
        process->base.stopped = true;
        opened = &process->base;
        goto done;
    }
    if (process->tracer != NULL) {
        /* By its id: it is our child, and nobody has reaped it. */
        kill((pid_t)process->tracer->process, SIGKILL);
        linux_tracer_end(process->tracer);
        waitid(P_PID, (id_t)process->tracer->process, &info, WEXITED | __WALL);
    }
    destroy(&process->base);
done:
    return opened;
}

HRESULT linux_read_maps(embedded_target *self, char **text, size_t *length)
{
    const linux_target *process = (const linux_target *)self;
    size_t capacity = 65536;
    size_t filled = 0;
    char *found = malloc(capacity);
    char *larger;
    char probe;
    ssize_t got = 0;
    HRESULT result = S_OK;

    *text = NULL;
    *length = 0;
    if (found == NULL) {
        result = E_OUTOFMEMORY;
        goto done;
    }
    if (linux_held_lost(process)) {
        result = E_UNEXPECTED;
        goto done;
    }
    for (;;) {
        got = pread(process->maps, found + filled, capacity - 1 - filled, (off_t)filled);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        filled += (size_t)got;
        if (capacity - 1 - filled < 4096) {
            larger = capacity > SIZE_MAX / 2 ? NULL : realloc(found, capacity * 2);
            if (larger == NULL) {
                result = E_OUTOFMEMORY;
                goto done;
            }
            found = larger;
            capacity *= 2;
        }
    }
    /* A process that goes meanwhile cuts the text short: it must still be there afterwards. */
    if (got < 0 || filled == 0 || pread(process->maps, &probe, 1, 0) != 1) {
        result = E_UNEXPECTED;
        goto done;
    }
    found[filled] = '\0';
    *text = found;
    *length = filled;
    found = NULL;
done:
    free(found);
    return result;
}

bool linux_forcing_forbidden(const embedded_target *self)
{
    return atomic_i32_load(&((const linux_target *)self)->forcing_forbidden) != 0;
}
