/* Child processes for the tests of the live Linux target: they are started, asked and examined. */
#define _GNU_SOURCE 1
#include "linux_children.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

child child_start(void (*body)(child *self, void *context), void *context)
{
    child mine = {-1, -1, -1};
    int up[2];
    int down[2];

    if (pipe(up) != 0 || pipe(down) != 0) {
        abort();
    }
    fflush(NULL);
    mine.id = fork();
    if (mine.id == 0) {
        child self = {.id = getpid(), .in = down[0], .out = up[1]};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(0);
        close(up[0]);
        close(down[1]);
        body(&self, context);
        _exit(0);
    }
    close(up[1]);
    close(down[0]);
    mine.in = up[0];
    mine.out = down[1];
    return mine;
}

void child_say(const child *self, char word)
{
    while (write(self->out, &word, 1) < 0 && errno == EINTR) {
    }
}

bool child_hear(const child *self)
{
    char word;
    ssize_t got;

    do {
        got = read(self->in, &word, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

bool child_answers(const child *self)
{
    child_say(self, '?');
    return child_hear(self);
}

void child_serve(const child *self)
{
    do {
        child_say(self, 'r');
    } while (child_hear(self));
}

void child_stop(child *self)
{
    int status;

    if (self->id > 0) {
        kill(self->id, SIGKILL);
        waitpid(self->id, &status, 0);
    }
    close(self->in);
    close(self->out);
    self->id = -1;
}

bool start_thread(void *(*body)(void *context), void *context)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    started = pthread_create(&thread, &attributes, body, context) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static void *idle(void *context)
{
    atomic_i32_add(context, 1);
    for (;;) {
        pause();
    }
    return NULL;
}

void start_idle(atomic_i32 *running, int count)
{
    int number;

    for (number = 0; number < count; number++) {
        start_thread(idle, running);
    }
    while (atomic_i32_load(running) != count) {
        sched_yield();
    }
}

void *shared_room(size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED) {
        abort();
    }
    return room;
}

char state_of(pid_t process, pid_t thread)
{
    char path[64];
    char text[512];
    size_t length = 0;
    const char *name_end;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)process,
             (int)(thread == 0 ? process : thread));
    file = fopen(path, "re");
    if (file != NULL) {
        length = fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    text[length] = '\0';
    name_end = strrchr(text, ')');
    return name_end == NULL || strlen(name_end) < 3 ? 0 : name_end[2];
}

void await_state(pid_t process, char wanted)
{
    while (state_of(process, 0) != wanted) {
        sched_yield();
    }
}

int count_threads(pid_t process, char state, int *in_state)
{
    char path[64];
    struct dirent *entry;
    int count = 0;
    DIR *directory;

    *in_state = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (atoi(entry->d_name) > 0) {
            count++;
            *in_state += state_of(process, atoi(entry->d_name)) == state;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

bool all_stopped(pid_t process)
{
    int stopped;
    int count = count_threads(process, 't', &stopped);

    return count > 0 && stopped == count;
}

int tracer_of(pid_t thread)
{
    char path[64];
    char line[256];
    int tracer = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "TracerPid:", 10) == 0) {
            tracer = atoi(line + 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return tracer;
}

int count_descriptors(void)
{
    struct dirent *entry;
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        count++;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

embedded_target *attach_to(pid_t process, bool suspend, bool writable, unsigned limit,
                           linux_open_error *error)
{
    linux_attach_options options = {.process_id = (int32_t)process,
                                    .suspend = suspend,
                                    .writable = writable,
                                    .waiting = {.timeout_ns = (uint64_t)limit * 1000000u}};

    return linux_attach(&options, error);
}
