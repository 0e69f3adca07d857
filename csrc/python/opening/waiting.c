/* Ctrl-C and time limits while a session is opened; see waiting.h. */
#include "waiting.h"

bool opening_goes_on(void *waiting)
{
    opening_waiting *self = waiting;
    bool goes_on;

    PyEval_RestoreThread(self->released);
    goes_on = PyErr_CheckSignals() == 0;
    self->released = PyEval_SaveThread();
    return goes_on;
}

uint64_t opening_nanoseconds(double seconds)
{
    return seconds < 3.2e9 ? (uint64_t)(seconds * 1e9) : UINT64_MAX;
}
