/* The GIL, Ctrl-C and progress during long work; see long_work.h. */
#include "long_work.h"

#include "failures.h"
#include "gil.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <time.h>
#endif

/* "About 50 ms, so a slow engine still answers" (docs/internals/writing.md). */
#define CHUNK_NS UINT64_C(50000000)

/* The first chunk, before anything was measured. An embedded engine moves this much in some 50 to
 * 100 microseconds; dbgeng was seen to take 16 to 255 microseconds a pointer. */
#define FIRST_BYTES_EMBEDDED 524288u
#define FIRST_ELEMENTS       64u

static uint64_t now_ns(void)
{
    uint64_t now;
#if defined(_WIN32)
    LARGE_INTEGER ticks, frequency;

    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    now = (uint64_t)((double)ticks.QuadPart * 1e9 / (double)frequency.QuadPart);
#else
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    now = (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
#endif
    return now;
}

static bool report(long_work *work, uint64_t done, uint64_t total)
{
    PyObject *result = NULL;
    bool good = PyErr_CheckSignals() == 0;

    if (good && work->progress != NULL && !work->quiet && (done > 0 || total == 0)) {
        result = PyObject_CallFunction(work->progress, "KK", (unsigned long long)done,
                                       (unsigned long long)total);
        good = result != NULL;
        work->reported = done;
    }
    Py_XDECREF(result);
    return good && session_not_forked(work->session);
}

static bool step(void *context, uint64_t done, uint64_t total)
{
    long_work *work = context;
    bool was_released = work->released;

    if (was_released) {
        gil_take();
    }
    work->raised = !report(work, done, total);
    if (was_released) {
        gil_release();
    }
    return !work->raised;
}

void long_work_prepare(long_work *work, const session_object *session, PyObject *progress,
                       uint32_t width)
{
    work->pace.step = step;
    work->pace.now_ns = now_ns;
    work->pace.context = work;
    work->pace.first_chunk = session->dbgeng ? FIRST_ELEMENTS : FIRST_BYTES_EMBEDDED / width;
    work->pace.chunk_ns = CHUNK_NS;
    work->pace.most = 0;
    work->session = session;
    work->progress = progress;
    work->released = false;
    work->reported = UINT64_MAX;
    work->quiet = false;
    work->raised = false;
}

void long_work_begin(long_work *work, const session_object *session, uint64_t bytes)
{
    if (!work->released && session_releases_gil(session, bytes)) {
        work->released = true;
        gil_release();
    }
}

void long_work_end(long_work *work)
{
    if (work->released) {
        work->released = false;
        gil_take();
        work->raised =
            work->raised || PyErr_Occurred() != NULL; /* a signal, in the kernel's wait */
    }
}

bool long_work_finish(long_work *work, const session_object *session, const core_error *error,
                      bool writes)
{
    bool good = error->status == CORE_OK && !work->raised;

    if (good && work->progress != NULL && work->reported != error->count) {
        good = report(work, error->count, error->count);
        work->raised = !good;
    }
    if (good && !session_not_forked(session)) { /* __index__ may have forked, too */
        good = false;
        work->raised = true;
    }
    if (work->raised) {
        if (writes && !session_is_forked(session)) {
            failure_note(error);
        }
    } else if (!good) {
        failure_raise(session, error, writes);
    }
    return good;
}
