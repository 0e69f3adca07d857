/* Thread-local variables, in each compiler's spelling. */
#ifndef PYDBGWRITE_PYTHON_THREAD_LOCAL_H
#define PYDBGWRITE_PYTHON_THREAD_LOCAL_H

#if defined(_MSC_VER)
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL _Thread_local
#endif

#endif
