/* An engine that another package started: its interfaces, found from any one of them. */
#ifndef PYDBGWRITE_ENGINES_WRAPPED_WRAPPED_H
#define PYDBGWRITE_ENGINES_WRAPPED_WRAPPED_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/client.h"
#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "../backing.h"
#include "../embedded/target.h"

/* The reason that it could not be wrapped; python/ turns it into an exception. */
typedef enum wrap_failure {
    WRAP_OK = 0,
    WRAP_UNALIGNED, /* no interface pointer: `address` is not a multiple of a pointer's size */
    WRAP_OBJECT,    /* no readable memory at `address`, the pointer itself */
    WRAP_TABLE,     /* its vtable, at `address`, can't be read up to slot `slot` */
    WRAP_SLOT,      /* slot `slot` of the vtable holds `address`, which is not code */
    WRAP_UNKNOWN,   /* the system does not report its memory */
    WRAP_ENGINE,    /* the engine's `operation` answered hresult */
} wrap_failure;

typedef struct wrap_error {
    wrap_failure failure;
    HRESULT hresult;
    const char *operation; /* static text */
    uintptr_t address;
    unsigned int slot;
} wrap_error;

/* The interfaces are references that the caller owns; it also owns `behind`. */
typedef struct wrapped_engine {
    IDebugClient5 *client; /* of the first version: 48 slots */
    IDebugControl *control;
    IDebugDataSpaces4 *data_spaces;
    backing *behind;           /* leaves the engine and its target unchanged */
    embedded_target *embedded; /* if it is this project's own engine; otherwise NULL */
    const char *kind;          /* as for a session */
    uint32_t process_id;       /* 0: none, or not known */
    uintptr_t code;            /* the address of its client's QueryInterface */
} wrapped_engine;

/* Opens the engine from a pointer to any of its interfaces, on the thread that will use it. False:
 * *error, and nothing is held. */
bool wrapped_open(uintptr_t address, wrapped_engine *opened, wrap_error *error);

#endif
