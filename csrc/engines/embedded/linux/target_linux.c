/* A live Linux process as a target of the embedded engine: opens it and detaches from it. */
#define _GNU_SOURCE 1
#include "target_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../forks.h"
#include "aside.h"
#include "blocks.h"
#include "held.h"
#include "maps.h"
#include "memory.h"
#include "parts.h"
#include "present.h"
#include "process.h"
#include "ranges.h"
#include "shares.h"
#include "sharing.h"
#include "tracer.h"

/* The time in which a process must die after SIGKILL; after that its status is left to others. */
#define REAPING_NS (UINT64_C(5) * 1000000000)

static linux_open_error fail(linux_open_failure failure, const char *operation, int os_error,
                             int64_t detail)
{
    return (linux_open_error){failure, os_error, operation, detail};
}

/* For a file of /proc: if it is missing, the process has ended. */
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

/* Takes the status of a launched process that has died or is about to die: no other code does. */
static void reap(const linux_target *process)
{
    siginfo_t info = {.si_pid = 0};
    uint64_t deadline = linux_now() + REAPING_NS;

    while (process->launched && info.si_pid == 0 && linux_now() < deadline &&
           waitid(P_PID, (id_t)process->base.process_id, &info, WEXITED | WNOHANG | __WALL) == 0) {
        poll(NULL, 0, info.si_pid == 0); /* if a sandbox refuses poll(2), this does not sleep */
    }
}

/* True if it has died while it was held. The tracer may not have seen that yet. */
static bool died_held(const linux_target *process)
{
    linux_stat stat;

    return linux_tracer_gone(process->tracer) ||
           (linux_process_stat(process->folder, 0, &stat) == 0 && linux_stat_ended(&stat));
}

static void let_go(linux_target *process)
{
    pthread_mutex_lock(&process->lock);
    atomic_i32_store(&process->let_go, 1);
    if (process->tracer != NULL) {
        /* Only the status of a launched process is taken here. */
        bool died = process->launched && died_held(process);

        linux_tracer_end(process->tracer);
        if (died) {
            reap(process); /* after its release, its parent (this program) reaps it */
        }
    }
    pthread_mutex_unlock(&process->lock);
}

/* True in a forked child. The tracer and the lock's holder don't exist there, and the child has
 * nothing to release. */
static bool in_forked_child(const linux_target *process)
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

    if (!in_forked_child(process) && atomic_i32_load(&process->let_go) == 0) {
        let_go(process);
    }
    return S_OK;
}

static HRESULT terminate(embedded_target *self)
{
    linux_target *process = (linux_target *)self;
    HRESULT result = S_OK;
    int failure;

    if (in_forked_child(process) || atomic_i32_load(&process->let_go) != 0) {
        goto done;
    }
    failure = linux_held_signal(process, SIGKILL);
    if (failure != 0 && failure != ESRCH) {
        result = linux_call_refused(failure) ? HR_CALL_REFUSED : HR_GEN_FAILURE;
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
    linux_worker_free(process->worker);
    linux_close(&process->folder);
    linux_close(&process->pidfd);
    linux_close(&process->memory);
    linux_close(&process->maps);
    linux_close(&process->pagemap);
    linux_close(&process->load);
    free(process->room);
    if (!in_forked_child(process)) {
        linux_aside_destroy(&process->aside);
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
                                                      .share = linux_shares_run,
                                                      .begin_aside = linux_aside_begin,
                                                      .end_aside = linux_aside_end,
                                                      .find_part = linux_parts_find,
                                                      .read_blocks = linux_blocks_read,
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
        while (process->base.page_size >> process->page_shift > 1) {
            process->page_shift++;
        }
        process->folder = -1;
        process->pidfd = -1;
        process->memory = -1;
        process->maps = -1;
        process->pagemap = -1;
        process->load = -1;
        process->writable = writable;
        process->creator = getpid();
        forks_watch();
        process->forks = forks_seen();
        pthread_mutex_init(&process->lock, NULL);
        linux_aside_init(&process->aside);
    }
    return process;
}

/* Checks that the process behind the folder has that id, and that it can be opened. `unpinned`: the
 * reason why it has no pidfd, or 0. */
static linux_open_error examine(linux_target *process, int32_t id, int unpinned)
{
    linux_stat stat;
    int32_t owner;
    int failure = linux_process_stat(process->folder, 0, &stat);

    if (failure != 0) {
        return fail_file("open(/proc/PID/stat)", failure);
    }
    if (stat.id != id) { /* another folder is mounted there */
        return fail(LINUX_OPEN_OTHER_PROC, NULL, 0, getpid());
    }
    /* A pidfd belongs to a process (EINVAL, on newer kernels ENOENT, for a thread that is not a
     * leader). */
    owner = unpinned == 0 ? id : linux_process_of_thread(process->folder);
    if (owner != 0 && owner != id) {
        return fail(LINUX_OPEN_NOT_A_PROCESS, "pidfd_open", unpinned, owner);
    }
    if (stat.kernel_thread) {
        return fail(LINUX_OPEN_KERNEL_THREAD, NULL, 0, 0);
    }
    if (linux_stat_ended(&stat) && stat.threads == 1) {
        return fail(LINUX_OPEN_ZOMBIE, NULL, 0, 0);
    }
    /* A kernel before 5.3 has no pidfd, and a sandbox may refuse it. */
    if (unpinned != 0 && !linux_call_refused(unpinned)) {
        return fail_file("pidfd_open", unpinned);
    }
    process->thread = linux_stat_ended(&stat) ? linux_process_living_thread(process->folder) : id;
    if (linux_sharing_ours(process)) {
        return fail(LINUX_OPEN_OWN_PROCESS, NULL, 0, 0);
    }
    return fail(LINUX_OPEN_OK, NULL, 0, 0);
}

static linux_open_error check_proc(void)
{
    int32_t shown;
    bool own;
    int failure = linux_proc_is_own(&shown, &own);

    if (failure != 0) { /* EMFILE: nothing is known */
        return fail_file("open(/proc/self/status)", failure);
    }
    return own ? fail(LINUX_OPEN_OK, NULL, 0, 0) : fail(LINUX_OPEN_OTHER_PROC, NULL, 0, shown);
}

/* Pins the process. The folder is opened first, and its process still exists once the pidfd is
 * open, so both belong to one process. */
static linux_open_error pin(linux_target *process, int32_t id)
{
    linux_open_error error = check_proc();
    int hidden, unpinned;

    if (error.failure != LINUX_OPEN_OK) {
        return error;
    }
    if (id <= 0) {
        return fail(LINUX_OPEN_NO_PROCESS, NULL, ESRCH, 0);
    }
    if (id == getpid()) {
        return fail(LINUX_OPEN_OWN_PROCESS, NULL, 0, 0);
    }
    process->folder = linux_process_folder(id);
    hidden = process->folder < 0 ? errno : 0;
    process->pidfd = linux_pidfd_open(id, 0);
    unpinned = process->pidfd < 0 ? errno : 0;
    if (hidden == ENOENT && (unpinned == 0 || kill((pid_t)id, 0) == 0 || errno == EPERM)) {
        /* It lives but /proc does not show it: mounted with hidepid (proc(5)). */
        return fail(LINUX_OPEN_PERMISSION, "open(/proc/PID)", hidden, 0);
    }
    if (hidden != 0) {
        return fail_file("open(/proc/PID)", hidden);
    }
    process->base.process_id = (uint32_t)id;
    return examine(process, id, unpinned);
}

/* Opens a file of the process's memory. EAGAIN: the thread that had the memory has just ended;
 * others live. */
static linux_open_error open_file(const linux_target *process, const char *name, int flags,
                                  int *file)
{
    int failure;

    *file = linux_process_open(process->folder, process->thread, name, flags);
    failure = *file < 0 ? errno : 0;
    if ((failure == ENOENT || failure == ESRCH) && !linux_held_ended(process)) {
        failure = EAGAIN;
    }
    return failure == 0 ? fail(LINUX_OPEN_OK, NULL, 0, 0)
                        : fail_file(strcmp(name, "mem") == 0 ? "open(/proc/PID/mem)"
                                                             : "open(/proc/PID/maps)",
                                    failure);
}

/* True if process_vm_* may access the process. Nothing is mapped at 0, so EFAULT is the expected
 * error; for a write of no bytes the expected result is 0. */
static bool calls_reach(const linux_target *process)
{
    unsigned char byte;
    struct iovec local = {&byte, 1}, remote = {NULL, 1};

    return process_vm_readv((pid_t)process->thread, &local, 1, &remote, 1, 0) < 0 &&
           errno == EFAULT && process_vm_writev((pid_t)process->thread, NULL, 0, NULL, 0, 0) == 0;
}

/* Opens /proc/PID/mem. Only its owner may open it (mode 0600), even if others may trace the
 * process; Landlock may refuse it as any file; a sandbox may refuse writes; and /proc may be
 * mounted read-only. A stopped process does not need it. */
static linux_open_error open_memory(linux_target *process)
{
    linux_open_error error =
        open_file(process, "mem", process->writable ? O_RDWR : O_RDONLY, &process->memory);

    if (error.failure == LINUX_OPEN_OK && process->writable &&
        pwrite(process->memory, "", 0, 0) < 0 && linux_call_refused(errno)) {
        error =
            fail(LINUX_OPEN_PERMISSION,
                 process->tracer == NULL ? "pwrite64" : "pwrite64, process_vm_writev", errno, 0);
        linux_close(&process->memory);
    }
    if ((error.failure == LINUX_OPEN_PERMISSION || error.os_error == EROFS) &&
        process->tracer != NULL && calls_reach(process)) {
        error = fail(LINUX_OPEN_OK, NULL, 0, 0);
    }
    return error;
}

/* Opens the files of the process and checks that all belong to one program. For a stopped process
 * they do; a running one may exec between two openings. EAGAIN: it did. */
static linux_open_error open_files(linux_target *process)
{
    linux_open_error error;
    unsigned char byte;
    int failure;

    linux_close(&process->memory);
    linux_close(&process->maps);
    linux_close(&process->pagemap);
    error = open_memory(process);
    if (error.failure == LINUX_OPEN_OK) {
        error = open_file(process, "maps", O_RDONLY, &process->maps);
    }
    if (error.failure == LINUX_OPEN_OK && pread(process->maps, &byte, 0, 0) < 0 &&
        linux_call_refused(errno)) { /* by a sandbox */
        error = fail(LINUX_OPEN_PERMISSION, "pread64", errno, 0);
    }
    if (error.failure != LINUX_OPEN_OK) {
        return error;
    }
    /* A kernel may be built without it, and a sandbox may hide it: then no page is known to be
     * present. */
    process->pagemap = linux_process_open(process->folder, process->thread, "pagemap", O_RDONLY);
    failure = linux_process_vector(process->folder, process->thread, &process->vector);
    if (failure == 0) {
        failure = linux_process_pointer_size(process->folder, process->thread, &process->vector,
                                             &process->base.pointer_size);
    }
    if (linux_held_ended(process) ||
        (process->tracer != NULL && linux_tracer_gone(process->tracer))) {
        return fail(LINUX_OPEN_NO_PROCESS, NULL, ESRCH, 0);
    }
    /* A read of memory that no longer exists returns 0 (fs/proc/base.c, mem_rw); nothing is mapped
     * at 0. If the memory still exists, the files opened after it belong to the same program. */
    if (process->memory >= 0 && pread(process->memory, &byte, 1, 0) == 0) {
        return fail(LINUX_OPEN_SYSTEM, "open(/proc/PID/mem)", EAGAIN, 0);
    }
    if (failure == ESRCH || failure == ENOENT) { /* the thread that had it has just ended */
        failure = EAGAIN;
    }
    return failure == 0 ? error : fail_file("read(/proc/PID/auxv)", failure);
}

static linux_open_error open_one_program(linux_target *process)
{
    linux_open_error error = open_files(process);
    int attempt;

    for (attempt = 0; attempt < 100 && error.os_error == EAGAIN; attempt++) {
        poll(NULL, 0, 2);
        process->thread = linux_process_living_thread(process->folder);
        error = open_files(process);
    }
    return error;
}

embedded_target *linux_attach(const linux_attach_options *options, linux_open_error *error)
{
    linux_target *process = create(options->writable);
    embedded_target *opened = NULL;

    if (process == NULL) {
        *error = fail(LINUX_OPEN_SYSTEM, "calloc", ENOMEM, 0);
        return NULL;
    }
    *error = pin(process, options->process_id);
    if (error->failure == LINUX_OPEN_OK && options->suspend) {
        linux_tracer_task task = {.process = options->process_id,
                                  .folder = process->folder,
                                  .waiting = &options->waiting};

        process->tracer = linux_tracer_start(&task, error);
    }
    if (error->failure == LINUX_OPEN_OK) {
        *error = open_one_program(process);
    }
    if (error->failure == LINUX_OPEN_OK) {
        process->base.stopped = process->tracer != NULL;
        opened = &process->base;
    } else {
        destroy(&process->base);
    }
    return opened;
}

/* True if the stopped process has the memory that it had when it was attached, and the thread that
 * the open files are of. Another process can use this memory, too, and keep it (vfork(2)): so the
 * vectors are compared. */
static bool same_program(const linux_target *process)
{
    unsigned char byte;
    linux_vector now;
    int failure = linux_process_vector(process->folder, process->thread, &now);

    return failure == 0 && now.length == process->vector.length &&
           memcmp(now.words, process->vector.words, now.length) == 0 &&
           pread(process->memory, &byte, 1, 0) != 0; /* as in open_files() */
}

bool linux_suspend(embedded_target *self, const linux_waiting *waiting, linux_open_error *error)
{
    linux_target *process = (linux_target *)self;
    linux_tracer_task task = {
        .process = (int32_t)self->process_id, .folder = process->folder, .waiting = waiting};
    linux_tracer *tracer = NULL;

    *error = fail(LINUX_OPEN_OK, NULL, 0, 0);
    if (process->tracer != NULL) {
        goto done;
    }
    if (linux_held_lost(process)) {
        *error = fail(LINUX_OPEN_NO_PROCESS, NULL, ESRCH, 0);
        goto done;
    }
    tracer = linux_tracer_start(&task, error);
    if (tracer != NULL && !same_program(process)) {
        linux_tracer_free(tracer);
        tracer = NULL;
        *error = fail(LINUX_OPEN_NO_PROCESS, NULL, ESRCH, 0);
    }
    if (tracer != NULL) {
        process->tracer = tracer;
        self->stopped = true;
        /* What was found out while it ran may not hold any more. */
        linux_present_forget(process);
        process->near_map.count = 0;
        process->near_map.next = 0;
        process->zeros_from = process->zeros_to = 0;
        atomic_i32_store(&process->sharing, LINUX_SHARING_UNKNOWN);
    }
done:
    return error->failure == LINUX_OPEN_OK;
}

embedded_target *linux_launch(const linux_launch_options *options, linux_open_error *error)
{
    linux_target *process = create(options->writable);
    linux_tracer_task task = {.folder = -1, .launch = options, .waiting = &options->waiting};
    siginfo_t info = {.si_pid = 0};
    embedded_target *opened = NULL;

    if (process == NULL) {
        *error = fail(LINUX_OPEN_SYSTEM, "calloc", ENOMEM, 0);
        return NULL;
    }
    *error = check_proc();
    if (error->failure == LINUX_OPEN_OK) {
        process->tracer = linux_tracer_start(&task, error);
    }
    if (error->failure == LINUX_OPEN_OK) {
        *error = pin(process, process->tracer->process);
    }
    if (error->failure == LINUX_OPEN_OK) {
        *error = open_one_program(process);
    }
    if (error->failure == LINUX_OPEN_OK) {
        process->launched = true;
        process->base.stopped = true;
        opened = &process->base;
        goto done;
    }
    if (process->tracer != NULL) {
        /* By its id: it is our child, and it has not been reaped. */
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
    /* A process that ends meanwhile truncates the text, so it must still exist afterwards. */
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
