/* A live Linux process as the embedded engine holds it. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELD_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_HELD_H

#include <pthread.h>
#include <sys/types.h>

#include "../../../base/atomics.h"
#include "../target.h"
#include "maps.h"
#include "process.h"
#include "tracing.h"
#include "worker.h"

typedef enum linux_sharing {
    LINUX_SHARING_UNKNOWN,
    LINUX_SHARING_NONE,
    LINUX_SHARING_FOUND /* another process uses the same memory, or may do so */
} linux_sharing;

/* The known pages of a block, a bit each; see present.h. */
#define LINUX_PRESENT_PAGES  64
#define LINUX_PRESENT_BLOCKS 4096 /* blocks with kept answers: 1 GiB of 4 KiB pages */

typedef struct linux_present_block {
    uint64_t block;   /* and present_from */
    uint64_t to_read; /* present, and can be read without a wait */
    uint64_t to_write;
} linux_present_block;

#define LINUX_NEAR_MAPPINGS 256

/* Mappings that follow each other, for a search, which asks by ascending addresses. */
typedef struct linux_near_map {
    uint64_t asked; /* the last address; a lower one begins another search */
    linux_region regions[LINUX_NEAR_MAPPINGS];
    size_t count;
    size_t next; /* the first that can be the next one */
} linux_near_map;

#define LINUX_KNOWN_DEVICES 8 /* with kept answers; see file_systems.h */

typedef struct linux_known_device {
    uint64_t device;
    int filler; /* a linux_filler */
} linux_known_device;

typedef struct linux_aside_call {
    void (*function)(void *);
    void *context;
} linux_aside_call;

/* Functions that another thread carries out in turn; see aside.h. */
typedef struct linux_aside {
    pthread_mutex_t lock;
    pthread_cond_t ended_one;
    linux_aside_call calls[POINTER_ASIDE_MOST]; /* the one numbered n is in n % MOST */
    uint32_t begun, ended;
    uint32_t awaited; /* only of the caller's thread */
    bool takes;       /* the thread takes what is begun */
    bool started;     /* the thread is to be joined */
    pthread_t thread;
    int32_t forks; /* forks_seen() when it began: no child of a fork has the thread */
} linux_aside;

typedef struct linux_target {
    embedded_target base;
    linux_tracer *tracer; /* NULL: the process runs */
    int folder;           /* /proc/PID: it pins the process; all of /proc is read through it */
    int pidfd;            /* -1 if the kernel lacks it or a sandbox refuses it */
    int32_t thread; /* a thread that has the process's memory: the first, unless it has ended */
    int memory;     /* /proc/PID/mem; bound, as `maps` is, to the memory that the process had when
                     * attached. -1: only process_vm_* and ptrace may access the memory */
    int maps;
    linux_vector vector; /* of the program that was attached */
    int pagemap;         /* the same; -1 if the kernel does not show it */
    bool writable;
    bool launched; /* our child: only this process reaps it */
    pid_t creator;
    int32_t forks; /* forks_seen() in the creator */
    atomic_i32 let_go;
    atomic_i32 abandoned; /* a write may still take effect: this process is no longer accessed */
    linux_worker *worker; /* NULL before it is needed */
    atomic_i32 calls_refused; /* process_vm_* answered EPERM or ENOSYS: use the descriptor */
    atomic_i32 force_refused; /* see linux_memory_force_refused() */
    int load; /* /proc/loadavg, and the system's processors: -1 and 0 before they are needed */
    long processors;
    unsigned char *room; /* parallel.c's: new memory for each call would take as much time as a
                          * quarter of the work */
    size_t room_size;
    linux_aside aside;
    uint64_t shared_memory[2]; /* devices: see file_systems.c; 0: none */
    linux_known_device devices[LINUX_KNOWN_DEVICES];
    unsigned page_shift;   /* of the page size, a power of two */
    uint64_t present_from; /* earlier answers have expired */
    linux_present_block present[LINUX_PRESENT_BLOCKS];
    uint64_t zeros_from, zeros_to; /* parts.c's: the last mapping that was tried */
    bool zeros;                    /* its absent pages hold zeros */
    linux_near_map near_map;       /* parts.c's */
    atomic_i32 sharing;            /* linux_sharing: determined at its first use */
    pthread_mutex_t lock;          /* for detach, terminate and forced writes by the tracer */
} linux_target;

/* True if the process and all its threads have ended. */
bool linux_held_ended(const linux_target *process);

/* True if its memory can't be accessed any more, because the process has ended or is detached. True
 * also in a forked child, which holds no target of its parent. Makes no system call for a stopped
 * process. */
bool linux_held_lost(const linux_target *process);

/* Sends a signal to the process. Returns 0 or an errno. */
int linux_held_signal(const linux_target *process, int number);

/* Opens a new descriptor of /proc/PID. With `of_memory`, it is instead the folder of a thread that
 * has the process's memory, with the same files: if the first thread has ended, some files of
 * /proc/PID are empty. E_UNEXPECTED if the process has ended; HR_GEN_FAILURE for another reason,
 * given in errno. */
HRESULT linux_open_folder(embedded_target *self, bool of_memory, int *folder);

#endif
