/* The options of an opening of a Linux process, and the reasons why it fails. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_OPENING_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_OPENING_H

#include <stdbool.h>
#include <stdint.h>

/* Why an opening failed; python/ turns it into an exception with advice. */
typedef enum linux_open_failure {
    LINUX_OPEN_OK = 0,
    LINUX_OPEN_NO_PROCESS,    /* no such process, or it ended meanwhile */
    LINUX_OPEN_ZOMBIE,        /* it has ended and waits for its parent */
    LINUX_OPEN_KERNEL_THREAD, /* no user memory at all */
    LINUX_OPEN_NOT_A_PROCESS, /* the id of a thread; `detail` is its process */
    LINUX_OPEN_OWN_PROCESS,   /* the caller's own, or one that shares its memory */
    LINUX_OPEN_OTHER_PROC,    /* /proc does not show it under its id: /proc is missing, covered, or
                               * of another pid namespace (`detail`: the caller's id there, or 0) */
    LINUX_OPEN_PERMISSION,    /* EPERM or EACCES from `operation` */
    LINUX_OPEN_TIMEOUT,       /* thread `detail` did not stop in time; all were released */
    LINUX_OPEN_CANCELLED,     /* keep_waiting returned false; all were released */
    LINUX_OPEN_TRACER_ENDED,  /* signal `detail` ended the tracer before it held the process */
    LINUX_OPEN_EXEC,          /* launch: execve failed with os_error; or `operation` before it */
    LINUX_OPEN_SYSTEM,        /* any other system error: `operation`, os_error */
} linux_open_failure;

typedef struct linux_open_error {
    linux_open_failure failure;
    int os_error;          /* errno, or 0 */
    const char *operation; /* static text: the call that failed, e.g. "ptrace(PTRACE_SEIZE)" */
    int64_t detail;        /* see above, else 0 */
} linux_open_error;

/* Called on the opening thread about every 50 ms while it waits; false gives up. */
typedef struct linux_waiting {
    bool (*keep_waiting)(void *context);
    void *context;
    uint64_t timeout_ns; /* from now; UINT64_MAX waits for ever */
} linux_waiting;

typedef struct linux_attach_options {
    int32_t process_id;
    bool suspend;  /* suspend all threads while the target is held */
    bool writable; /* false: nothing is opened for writing, and write() refuses */
    linux_waiting waiting;
} linux_attach_options;

typedef struct linux_launch_options {
    const char *path;         /* resolved against cwd by execve, no PATH search */
    char *const *arguments;   /* argv, NULL at the end */
    char *const *environment; /* envp, NULL at the end */
    const char *directory;    /* NULL: the caller's */
    int standard[3];          /* descriptors for 0, 1, 2; -1 inherits */
    bool writable;
    linux_waiting waiting;
} linux_launch_options;

#endif
