/* The functions behind NOT_IMPLEMENTED(words); see not_implemented.h. */
#include "not_implemented.h"

#include "../../com/hresult.h"

HRESULT STDMETHODCALLTYPE not_implemented_1(stack_word word_1)
{
    (void)word_1;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_2(stack_word word_1, stack_word word_2)
{
    (void)word_1;
    (void)word_2;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_3(stack_word word_1, stack_word word_2, stack_word word_3)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_4(stack_word word_1, stack_word word_2, stack_word word_3,
                                            stack_word word_4)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_5(stack_word word_1, stack_word word_2, stack_word word_3,
                                            stack_word word_4, stack_word word_5)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_6(stack_word word_1, stack_word word_2, stack_word word_3,
                                            stack_word word_4, stack_word word_5, stack_word word_6)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    (void)word_6;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_7(stack_word word_1, stack_word word_2, stack_word word_3,
                                            stack_word word_4, stack_word word_5, stack_word word_6,
                                            stack_word word_7)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    (void)word_6;
    (void)word_7;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_8(stack_word word_1, stack_word word_2, stack_word word_3,
                                            stack_word word_4, stack_word word_5, stack_word word_6,
                                            stack_word word_7, stack_word word_8)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    (void)word_6;
    (void)word_7;
    (void)word_8;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_9(stack_word word_1, stack_word word_2, stack_word word_3,
                                            stack_word word_4, stack_word word_5, stack_word word_6,
                                            stack_word word_7, stack_word word_8, stack_word word_9)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    (void)word_6;
    (void)word_7;
    (void)word_8;
    (void)word_9;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_10(stack_word word_1, stack_word word_2,
                                             stack_word word_3, stack_word word_4,
                                             stack_word word_5, stack_word word_6,
                                             stack_word word_7, stack_word word_8,
                                             stack_word word_9, stack_word word_10)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    (void)word_6;
    (void)word_7;
    (void)word_8;
    (void)word_9;
    (void)word_10;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE not_implemented_11(stack_word word_1, stack_word word_2,
                                             stack_word word_3, stack_word word_4,
                                             stack_word word_5, stack_word word_6,
                                             stack_word word_7, stack_word word_8,
                                             stack_word word_9, stack_word word_10,
                                             stack_word word_11)
{
    (void)word_1;
    (void)word_2;
    (void)word_3;
    (void)word_4;
    (void)word_5;
    (void)word_6;
    (void)word_7;
    (void)word_8;
    (void)word_9;
    (void)word_10;
    (void)word_11;
    return E_NOTIMPL;
}

HRESULT not_implemented_variadic(void)
{
    return E_NOTIMPL;
}
