/* Releasing the GIL around an engine's calls; see gil.h. */
#include "gil.h"

#include "python.h"
#include "thread_local.h"

#include <stddef.h>

static THREAD_LOCAL PyThreadState *released;

void gil_release(void)
{
    released = PyEval_SaveThread();
}

void gil_take(void)
{
    PyThreadState *state = released;

    released = NULL;
    PyEval_RestoreThread(state);
}

bool gil_goes_on(void)
{
    bool goes_on = true;

    if (released != NULL) {
        gil_take();
        goes_on = PyErr_CheckSignals() == 0;
        gil_release();
    }
    return goes_on;
}
