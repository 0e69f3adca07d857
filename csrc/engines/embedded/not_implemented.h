/* Functions that return E_NOTIMPL, for the slots of an interface without an implementation.
 *
 * NOT_IMPLEMENTED(words): a function that takes `words` stack words, `This` included, and fits the
 * slot's untyped pointer. The count matters on 32-bit x86 only, where the callee of a stdcall
 * function removes its arguments from the stack (an ULONG64 is two words there). A structure of
 * that many words stands for the arguments and is never read. The counts come from the declarations
 * in Microsoft's documentation of each method.
 *
 * NOT_IMPLEMENTED_AS(words, parameters): the same for a typed slot.
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
