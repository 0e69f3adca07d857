/* What stands behind a session's client: how it is left, and whether its target is still there. */
#ifndef PYDBGWRITE_ENGINES_BACKING_H
#define PYDBGWRITE_ENGINES_BACKING_H

#include <stdbool.h>

#include "../com/types.h"

typedef struct backing backing;

typedef struct backing_operations {
    /* Leaves the target: ended where `terminate`, else as it was found. `owner`: called on the
     * thread that opened the session. *method names the engine's call that failed. */
    HRESULT (*end)(backing *self, bool terminate, bool owner, const char **method);

    /* Is it known that the target has ended? Cheap; asked after a failure. */
    bool (*gone)(const backing *self);

    /* Frees it, after end(). */
    void (*destroy)(backing *self);
} backing_operations;

struct backing {
    const backing_operations *operations;
};

#endif
