/* Counts the processors of this machine that a large transfer can use. */
#define _GNU_SOURCE 1
#include "processors.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns the number of runnable tasks of the whole machine, this one included: the fourth number
 * of /proc/loadavg (proc_loadavg(5)). The descriptor is kept, since opening takes four times as
 * long as reading. 0: unknown. */
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

int linux_processors_usable(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int linux_processors_idle(linux_target *process)
{
    long running = runnable_tasks(process);
    long idle;

    if (process->processors == 0) {
        process->processors = sysconf(_SC_NPROCESSORS_ONLN); /* reads a file */
    }
    idle = process->processors - (running > 0 ? running : 1);
    return idle > 0 ? (int)idle : 0;
}
