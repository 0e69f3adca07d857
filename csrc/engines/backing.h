/* What stands behind a session's client: how it is left, and whether its target is still there. */
#ifndef PYDBGWRITE_ENGINES_BACKING_H
#define PYDBGWRITE_ENGINES_BACKING_H

#include <stdbool.h>

#include "../com/types.h"

typedef struct backing backing;

/* What is no longer there. */
typedef enum backing_gone {
    BACKING_THERE = 0,   /* nothing, as far as is known */
    BACKING_TARGET_GONE, /* the target has ended */
    BACKING_SERVER_GONE, /* nobody answers for it: its server has ended, or the connection is lost
                          */
} backing_gone;

typedef struct backing_operations {
    /* Leaves the target: ended where `terminate`, else as it was found. `owner`: called on the
     * thread that opened the session. *method names the engine's call that failed. */
    HRESULT (*end)(backing *self, bool terminate, bool owner, const char **method);

    /* Has the target ended, or its server? Asked after a failure, on the owner's thread; a call
     * over the network where there is one. */
    backing_gone (*gone)(const backing *self);

    /* Frees it, after end(). */
    void (*destroy)(backing *self);
} backing_operations;

struct backing {
    const backing_operations *operations;
};

#endif
