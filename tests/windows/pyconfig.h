/* pyconfig.h of Windows for the cross build: what CPython's headers need to know of the target.
 *
 * Written for the Windows lane from the published sizes of the Windows ABI. Takes the place of the
 * build machine's own pyconfig.h, whose sizes are those of Linux. */
#ifndef Py_CONFIG_H
#define Py_CONFIG_H

#include <stdint.h>

#define MS_WINDOWS
#define MS_WIN32
#define NT_THREADS
#define WITH_THREAD
#define Py_ENABLE_SHARED
#define HAVE_DECLSPEC_DLL

#define SIZEOF_SHORT     2
#define SIZEOF_INT       4
#define SIZEOF_LONG      4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT     4
#define SIZEOF_DOUBLE    8
#define SIZEOF_WCHAR_T   2
#define SIZEOF_OFF_T     4
#define SIZEOF_FPOS_T    8
#define SIZEOF_PID_T     4

#ifdef _WIN64
#define MS_WIN64
#define SIZEOF_VOID_P       8
#define SIZEOF_SIZE_T       8
#define SIZEOF_TIME_T       8
#define SIZEOF_HKEY         8
#define ALIGNOF_SIZE_T      8
#define ALIGNOF_MAX_ALIGN_T 16
#else
#define SIZEOF_VOID_P       4
#define SIZEOF_SIZE_T       4
#define SIZEOF_TIME_T       4
#define SIZEOF_HKEY         4
#define ALIGNOF_SIZE_T      4
#define ALIGNOF_MAX_ALIGN_T 8
#endif

#define HAVE_PY_SSIZE_T 1
typedef intptr_t Py_ssize_t;
#define PY_SSIZE_T_MAX   INTPTR_MAX
#define SIZEOF_PTHREAD_T SIZEOF_VOID_P

#define HAVE_LONG_LONG         1
#define HAVE_STDARG_PROTOTYPES 1
#define HAVE_ERRNO_H           1
#define HAVE_STDDEF_H          1
#define HAVE_SYS_TYPES_H       1
#define HAVE_WCHAR_H           1
#define STDC_HEADERS           1
#define WITH_DOC_STRINGS       1

#endif
