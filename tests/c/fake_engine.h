/* A counting fake of the interfaces that the core calls; each test sets its answers. */
#ifndef PYDBGWRITE_TESTS_FAKE_ENGINE_H
#define PYDBGWRITE_TESTS_FAKE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../csrc/core/request.h"

#define FAKE_CALLS  64
#define FAKE_MEMORY 524288

/* How ReadVirtual answers a range of which only a part can be read. */
typedef enum fake_reading {
    FAKE_READS_SHORT = 0,  /* S_OK and a count */
    FAKE_READS_ALL_OR_NOT, /* a failure, as Wine's ReadProcessMemory does */
    FAKE_READS_NO_COUNT,   /* S_OK, and the count stays unchanged */
    FAKE_READS_GONE,       /* E_UNEXPECTED: the target no longer answers */
} fake_reading;

typedef struct fake_engine {
    IDebugControl control;
    IDebugDataSpaces4 spaces;
    core_target target;
    core_pace pace;

    HRESULT width_answer; /* of IsPointer64Bit; S_OK at first */
    HRESULT answers[4];   /* of the first calls that move data; S_OK at first */
    ULONG counted[4];     /* the counts that byte calls report; 0: all bytes */
    bool no_count;        /* byte calls leave the count unchanged */
    bool sign_extends;    /* in ReadPointersVirtual on a 32-bit target, and in QueryVirtual */
    fake_reading reading; /* of ReadVirtual in read-back */
    bool scribbles;       /* a short or failing read also changes the rest of the buffer */
    uint64_t *spoil;      /* set to spoil_value by the first WritePointersVirtual */
    uint64_t spoil_value;
    uint64_t ns_per_element; /* the cost of a call on the fake clock */
    uint64_t stop_at;        /* the number of the step that stops; 0: none */

    uint64_t base; /* memory[0]'s address; `readable` bytes from there */
    uint64_t readable;
    bool stores; /* writes change memory */
    /* The answer of QueryVirtual for all of memory; if the state is 0, the call fails. */
    ULONG memory_state, memory_type, memory_protect;
    unsigned char memory[FAKE_MEMORY];

    int calls; /* calls that move data */
    ULONG counts[FAKE_CALLS];
    uint64_t offsets[FAKE_CALLS];
    const void *pointers[FAKE_CALLS];
    int reads; /* ReadVirtual calls for reading back */
    int steps;
    uint64_t step_done[FAKE_CALLS];
} fake_engine;

/* A request of the given kind and fields: REQUEST(CORE_POINTERS, .address = 0x1000, ...). */
#define REQUEST(what, ...) (&(core_request){.kind = (what), __VA_ARGS__})

/* Makes the fake answer S_OK to every call, with 64-bit pointers and no memory. */
void fake_reset(fake_engine *fake);

#endif
