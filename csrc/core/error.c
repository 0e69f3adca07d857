/* Noting an engine call's answer; see error.h. */
#include "error.h"

void core_engine_error(core_error *error, const char *method, HRESULT hresult)
{
    error->status = CORE_ENGINE;
    error->method = method;
    error->hresult = hresult;
}
