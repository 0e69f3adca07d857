/* Numbers of Linux's interface that older headers lack. They are the same on every architecture
 * (asm-generic/unistd.h). */
#ifndef PYDBGWRITE_LINUX_NEWER_CALLS_H
#define PYDBGWRITE_LINUX_NEWER_CALLS_H

#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif
#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

#endif
