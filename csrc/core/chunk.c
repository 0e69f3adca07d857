/* The loop around chunks; see chunk.h. */
#include "chunk.h"

static uint64_t most_of(const core_pace *pace)
{
    return pace->most > 0 && pace->most < CORE_MOST_COUNT ? pace->most : CORE_MOST_COUNT;
}

uint64_t core_chunk_first(const core_pace *pace, uint64_t count)
{
    uint64_t chunk = count <= pace->first_chunk ? count : pace->first_chunk;
    uint64_t most = most_of(pace);

    return chunk > most ? most : chunk;
}

uint64_t core_chunk_start(const core_pace *pace, uint64_t count, uint64_t chunk)
{
    return chunk < count ? pace->now_ns() : 0;
}

bool core_chunk_next(const core_pace *pace, uint64_t count, uint64_t *chunk, uint64_t *started,
                     core_error *error)
{
    uint64_t left = count - error->done;
    uint64_t most = most_of(pace);

    if (*started > 0) {
        *chunk = core_pace_next(pace, *chunk, pace->now_ns() - *started);
        if (!pace->step(pace->context, error->done, count)) {
            error->status = CORE_STOPPED;
        }
        *started = pace->now_ns();
    }
    if (*chunk > most) {
        *chunk = most;
    }
    if (*chunk > left) {
        *chunk = left;
    }
    return error->status == CORE_OK && left > 0;
}

bool core_chunk_look(const core_pace *pace, uint64_t count, core_error *error)
{
    if (!pace->step(pace->context, 0, count)) {
        error->status = CORE_STOPPED;
        error->known = true; /* nothing was written */
    }
    return error->status == CORE_OK;
}

void core_engine_error(core_error *error, const char *method, HRESULT hresult)
{
    error->status = CORE_ENGINE;
    error->method = method;
    error->hresult = hresult;
}
