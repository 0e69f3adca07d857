/* Answers E_NOTIMPL for the slots of an interface that nothing stands behind.
 *
 * NOT_IMPLEMENTED(words): a function that takes `words` stack words, `This` included, and fits the
 * slot's untyped pointer. The count matters on 32-bit x86 alone, where the callee of a stdcall
 * function takes its arguments off the stack (an ULONG64 is two words there). Counts are those of
 * the declarations in Microsoft's documentation of each method.
 */
#ifndef PYDBGWRITE_EMBEDDED_NOT_IMPLEMENTED_H
#define PYDBGWRITE_EMBEDDED_NOT_IMPLEMENTED_H

#include "../../com/types.h"

#define NOT_IMPLEMENTED(words)   ((com_untyped_slot)not_implemented_##words)
#define NOT_IMPLEMENTED_VARIADIC ((com_untyped_slot)not_implemented_variadic)

typedef uintptr_t stack_word;

HRESULT STDMETHODCALLTYPE not_implemented_1(stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_2(stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_3(stack_word, stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_4(stack_word, stack_word, stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_5(stack_word, stack_word, stack_word, stack_word,
                                            stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_6(stack_word, stack_word, stack_word, stack_word,
                                            stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_7(stack_word, stack_word, stack_word, stack_word,
                                            stack_word, stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_8(stack_word, stack_word, stack_word, stack_word,
                                            stack_word, stack_word, stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_9(stack_word, stack_word, stack_word, stack_word,
                                            stack_word, stack_word, stack_word, stack_word,
                                            stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_10(stack_word, stack_word, stack_word, stack_word,
                                             stack_word, stack_word, stack_word, stack_word,
                                             stack_word, stack_word);
HRESULT STDMETHODCALLTYPE not_implemented_11(stack_word, stack_word, stack_word, stack_word,
                                             stack_word, stack_word, stack_word, stack_word,
                                             stack_word, stack_word, stack_word);
/* Variadic methods are cdecl even where the others are stdcall. */
HRESULT not_implemented_variadic(void);

#endif
