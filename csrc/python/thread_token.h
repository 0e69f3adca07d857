/* A number that only this thread has, as long as the process lives.
 *
 * After a thread has ended, its ident (PyThread_get_thread_ident) is given to a later thread, so an
 * ident can't tell an owner from another thread.
 */
#ifndef PYDBGWRITE_PYTHON_THREAD_TOKEN_H
#define PYDBGWRITE_PYTHON_THREAD_TOKEN_H

#include <stdint.h>

/* Above 0, and the same at every call in one thread. */
int32_t thread_token(void);

#endif
