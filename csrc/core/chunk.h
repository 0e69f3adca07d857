/* The loop around chunks: where the first ends, when the next begins. Used by pointers.c, bytes.c.
 */
#ifndef PYDBGWRITE_CORE_CHUNK_H
#define PYDBGWRITE_CORE_CHUNK_H

#include "error.h"
#include "pace.h"

/* The most elements one engine call takes: its counts and sizes are ULONGs. */
#define CORE_MOST_COUNT UINT64_C(0xFFFFFFFF)

/* The size of the first chunk of a request of `count` elements. */
uint64_t core_chunk_first(const core_pace *pace, uint64_t count);

/* When it starts; 0 for a request of one chunk, which needs no clock. */
uint64_t core_chunk_start(const core_pace *pace, uint64_t count, uint64_t chunk);

/* After a chunk that error->done counts: let the caller's step run and size the next one. False
 * when nothing is left, or the step said stop (CORE_STOPPED). */
bool core_chunk_next(const core_pace *pace, uint64_t count, uint64_t *chunk, uint64_t *started,
                     core_error *error);

/* Input is looked through in pieces of so many pointers before anything is written. */
#define CORE_LOOK_POINTERS (UINT64_C(1) << 22)

/* Between two of them: the step runs, and hears that nothing is done yet. False: it said stop. */
bool core_chunk_look(const core_pace *pace, uint64_t count, core_error *error);

/* Notes that an engine call did not answer S_OK. */
void core_engine_error(core_error *error, const char *method, HRESULT hresult);

#endif
