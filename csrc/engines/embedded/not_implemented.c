/* The functions behind NOT_IMPLEMENTED(words); see not_implemented.h. */
#include "not_implemented.h"

#include "../../com/hresult.h"

#define DEFINE(words)                                                                              \
    HRESULT STDMETHODCALLTYPE not_implemented_##words(stack_##words unused)                        \
    {                                                                                              \
        (void)unused;                                                                              \
        return E_NOTIMPL;                                                                          \
    }                                                                                              \
                                                                                                   \
    _Static_assert(sizeof(stack_##words) == (words) * sizeof(uintptr_t), "words of the stack")

DEFINE(1);
DEFINE(2);
DEFINE(3);
DEFINE(4);
DEFINE(5);
DEFINE(6);
DEFINE(7);
DEFINE(8);
DEFINE(9);
DEFINE(10);
DEFINE(11);

HRESULT not_implemented_variadic(void)
{
    return E_NOTIMPL;
}
