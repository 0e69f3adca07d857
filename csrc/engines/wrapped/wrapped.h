/* An engine that somebody else started: its interfaces, found from any one of them. */
#ifndef PYDBGWRITE_ENGINES_WRAPPED_WRAPPED_H
#define PYDBGWRITE_ENGINES_WRAPPED_WRAPPED_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/client.h"
#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "../backing.h"
#include "../embedded/target.h"

/* Why it could not be wrapped; python/ turns it into an exception. */
typedef enum wrap_failure {
    WRAP_OK = 0,
    WRAP_UNALIGNED, /* no interface pointer: `address` is no multiple of a pointer's size */
    WRAP_OBJECT,    /* no memory that can be read at `address`, the pointer itself */
    WRAP_TABLE,     /* its vtable, at `address`, can't be read up to slot `slot` */
    WRAP_SLOT,      /* slot `slot` of the vtable holds `address`, which is no code */
    WRAP_UNKNOWN,   /* the system does not say what memory there is */
    WRAP_ENGINE,    /* the engine's `operation` answered hresult */
} wrap_failure;

typedef struct wrap_error {
    wrap_failure failure;
    HRESULT hresult;
    const char *operation; /* static text */
    uintptr_t address;
    unsigned int slot;
} wrap_error;

/* The interfaces are references that the caller owns; it owns `behind`, too. */
typedef struct wrapped_engine {
    IDebugClient5 *client; /* of the first version: 48 slots */
    IDebugControl *control;
    IDebugDataSpaces4 *data_spaces;
    backing *behind;           /* leaves the engine and its target as they are */
    embedded_target *embedded; /* where it is this project's own engine; else NULL */
    const char *kind;          /* as of a session */
    uint32_t process_id;       /* 0: none, or not known */
    uintptr_t code;            /* where its client's QueryInterface is */
} wrapped_engine;

/* From a pointer to any interface of an engine, on the thread that will use it. False: *error, and
 * nothing is held. */
bool wrapped_open(uintptr_t address, wrapped_engine *opened, wrap_error *error);

#endif
