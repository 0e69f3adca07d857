/* A failure in the core, as a value. One function of python/ turns it into an exception. */
#ifndef PYDBGWRITE_CORE_ERROR_H
#define PYDBGWRITE_CORE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "../com/hresult.h"
#include "../com/types.h"

typedef enum core_status {
    CORE_OK = 0,
    CORE_ENGINE,        /* an engine call did not return S_OK: hresult, method */
    CORE_WRAPS,         /* the range goes past 2^64, or is one that the engine would fold; it was
                           not called */
    CORE_POINTER_RANGE, /* element `index` (`value`) does not fit a 32-bit pointer */
    CORE_DIFFERENT,     /* the target holds other values; `purpose`, core_differences */
    CORE_UNREADABLE,    /* memory needed for a write is unreadable: hresult, method, `purpose` */
    CORE_BUFFER_GONE,   /* element `index` of the caller's buffer can't be read; `purpose` */
    CORE_STOPPED,       /* the pace's step stopped the work; `done` says how far it came */
} core_status;

typedef struct core_error {
    core_status status;
    HRESULT hresult;
    const char *method; /* of the engine, e.g. "WritePointersVirtual"; static text */
    uint64_t address;   /* of the whole request */
    uint64_t count;     /* of the whole request: pointers, or bytes for the byte calls */
    uint32_t width;     /* bytes an element takes in the target: 4 or 8, 1 for the byte calls */
    uint64_t done;      /* elements in calls that the engine answered with S_OK */
    bool known;         /* whether `landed` could be found */
    uint64_t landed;    /* leading elements that the target holds now (write) or lets be read */
    uint64_t index;     /* CORE_POINTER_RANGE, scattered CORE_WRAPS: the element's index */
    uint64_t value;     /* CORE_POINTER_RANGE: its value */
    bool scattered;     /* each element has a separate address; `address` is the first one's */
    uint64_t at;        /* scattered: the address of element `landed`; CORE_WRAPS: of `index`;
                           CORE_UNREADABLE: the first that can't be read */
    /* CORE_UNREADABLE, CORE_DIFFERENT: the purpose of the read; "record" (of the contents that a
     * write replaces), "expect" or "verify". CORE_POINTER_RANGE: "expect" or "one expected" if it
     * is no value to write. */
    /* CORE_BUFFER_GONE: the buffer's argument: "pointers", "data", "addresses", or "expect". */
    const char *purpose;
    const struct core_differences *differences; /* CORE_DIFFERENT; its owner's */
} core_error;

/* No failure yet. Field by field: for a struct of this size, gcc makes a slow string instruction of
 * zeroing it as a whole. */
static inline void core_error_init(core_error *error)
{
    error->status = CORE_OK;
    error->hresult = S_OK;
    error->method = NULL;
    error->address = 0;
    error->count = 0;
    error->width = 0;
    error->done = 0;
    error->known = false;
    error->landed = 0;
    error->index = 0;
    error->value = 0;
    error->scattered = false;
    error->at = 0;
    error->purpose = NULL;
    error->differences = NULL;
}

/* Notes that an engine call did not answer S_OK. */
void core_engine_error(core_error *error, const char *method, HRESULT hresult);

#endif
