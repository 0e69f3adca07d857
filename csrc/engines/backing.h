/* A session client's backing: leaves the target, and reports whether it still exists. */
#ifndef PYDBGWRITE_ENGINES_BACKING_H
#define PYDBGWRITE_ENGINES_BACKING_H

#include <stdbool.h>

#include "../com/types.h"

typedef struct backing backing;

/* The part that has ended. */
typedef enum backing_gone {
    BACKING_THERE = 0,   /* nothing, as far as is known */
    BACKING_TARGET_GONE, /* the target has ended */
    BACKING_SERVER_GONE, /* no answer: the target's server has ended, or the connection is lost */
} backing_gone;

typedef struct backing_operations {
    /* Leaves the target: terminates it if `terminate`, otherwise leaves it as it was found.
     * `owner`: called on the thread that opened the session. *method names the engine's call that
     * failed. */
    HRESULT (*end)(backing *self, bool terminate, bool owner, const char **method);

    /* Reports whether the target or its server has ended. Called after a failure, on the owner's
     * thread; over a network, it is a call to the server. */
    backing_gone (*gone)(const backing *self);

    /* Frees it, after end(). */
    void (*destroy)(backing *self);
} backing_operations;

struct backing {
    const backing_operations *operations;
};

#endif
