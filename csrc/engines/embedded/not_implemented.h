/* Answers E_NOTIMPL for the slots of an interface that nothing stands behind.
 *
 * NOT_IMPLEMENTED(words): a function that takes `words` stack words, `This` included, and fits the
 * slot's untyped pointer. The count matters on 32-bit x86 alone, where the callee of a stdcall
 * function takes its arguments off the stack (an ULONG64 is two words there): a structure of so
 * many words stands for them, and is never looked at. Counts are those of the declarations in
 * Microsoft's documentation of each method.
 *
 * NOT_IMPLEMENTED_AS(words, parameters): the same for a slot that is typed.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_NOT_IMPLEMENTED_H
#define PYDBGWRITE_ENGINES_EMBEDDED_NOT_IMPLEMENTED_H

#include "../../com/types.h"

#define NOT_IMPLEMENTED(words) ((com_untyped_slot)not_implemented_##words)
#define NOT_IMPLEMENTED_AS(words, ...)                                                             \
    ((HRESULT(STDMETHODCALLTYPE *)(__VA_ARGS__))NOT_IMPLEMENTED(words))

#define NOT_IMPLEMENTED_DECLARE(words)                                                             \
    typedef struct stack_##words {                                                                 \
        uintptr_t word[words];                                                                     \
    } stack_##words;                                                                               \
    HRESULT STDMETHODCALLTYPE not_implemented_##words(stack_##words)

NOT_IMPLEMENTED_DECLARE(1);
NOT_IMPLEMENTED_DECLARE(2);
NOT_IMPLEMENTED_DECLARE(3);
NOT_IMPLEMENTED_DECLARE(4);
NOT_IMPLEMENTED_DECLARE(5);
NOT_IMPLEMENTED_DECLARE(6);
NOT_IMPLEMENTED_DECLARE(7);
NOT_IMPLEMENTED_DECLARE(8);
NOT_IMPLEMENTED_DECLARE(9);
NOT_IMPLEMENTED_DECLARE(10);
NOT_IMPLEMENTED_DECLARE(11);

/* Variadic methods are cdecl even where the others are stdcall. */
#define NOT_IMPLEMENTED_VARIADIC ((com_untyped_slot)not_implemented_variadic)
HRESULT not_implemented_variadic(void);

#endif
