"""The expected outcome for each system call of the package on Linux, if that call is refused.

A seccomp filter refuses calls (containers, systemd's SystemCallFilter=), and so does a kernel
without them: with ENOSYS, EPERM or EACCES. The matrix fails for a call that is in no table here.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
from dataclasses import dataclass

ERRORS = (errno.ENOSYS, errno.EPERM, errno.EACCES)


@dataclass(frozen=True)
class Outcome:
    """refused: patterns (fnmatch) of the steps that fail; all others work. words: in each message.

    kind: the start of the exception's name. perhaps: the refused steps may also work.
    """

    refused: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    kind: str = "pydbgwrite."
    perhaps: bool = False


WORKS = Outcome()


def stopping(*words: str) -> Outcome:
    """Return the outcome for a call that only suspending sessions need: all others work."""
    return Outcome(("suspended: attach", "launch: *"), words)


#: If all steps work, the package uses another call, or loses only speed.
CALLS: dict[str, Outcome] = {
    "access": WORKS,
    "clock_nanosleep": WORKS,
    "clone": Outcome(("launch: *",), ("clone",)),  # the tracer runs as a thread
    "clone3": stopping("clone3"),  # except ENOSYS: see OTHERWISE
    "close_range": WORKS,  # fcntl(2) for each descriptor
    "eventfd2": stopping("eventfd2"),
    "getrandom": WORKS,
    "getxattr": WORKS,
    "ioctl": WORKS,  # the text of /proc/PID/maps, and the pagemap
    "kcmp": WORKS,  # as many mapped pages count as the same memory
    "kill": WORKS,
    "madvise": WORKS,
    "memfd_create": WORKS,
    "pidfd_open": WORKS,  # a descriptor of /proc/PID
    "pidfd_send_signal": WORKS,  # kill(2), while it is traced
    "poll": WORKS,
    "ppoll": WORKS,
    "prctl": WORKS,
    "pread64": Outcome(("*: attach", "launch: *"), ("pread64",)),
    "process_vm_readv": WORKS,  # /proc/PID/mem
    "process_vm_writev": WORKS,
    "ptrace": stopping("ptrace"),
    "pwrite64": Outcome(("running: attach",), ("pwrite64", "suspend=True")),
    "sched_getaffinity": WORKS,  # one processor
    "sched_setaffinity": WORKS,
    "sched_yield": WORKS,
    "set_robust_list": WORKS,
    "statfs": WORKS,
    "statx": WORKS,
    "wait4": WORKS,
    "waitid": stopping("waitid"),
}
#: The calls that a kernel of 4.18 lacks.
KERNEL_4_18 = "clone3 close_range faccessat2 openat2 pidfd_open pidfd_send_signal"
#: Several calls refused at once.
TOGETHER: dict[str, Outcome] = {
    "ptrace kcmp process_vm_readv process_vm_writev": stopping("ptrace"),
    KERNEL_4_18: WORKS,
    "ioctl kcmp process_vm_readv process_vm_writev": WORKS,
    "process_vm_readv process_vm_writev": WORKS,
    "pidfd_open pidfd_send_signal kill": Outcome(("launch: terminate",), ("kill",)),
    "process_vm_writev pwrite64": Outcome(("*: attach", "launch: *"), ("pwrite64",)),
}
#: Calls whose outcome depends on the error; None: that error is never used.
OTHERWISE: dict[tuple[str, int], Outcome | None] = {
    ("clone3", errno.ENOSYS): WORKS,  # the C library then makes threads by clone(2), and only then
    (KERNEL_4_18, errno.EPERM): None,
    (KERNEL_4_18, errno.EACCES): None,
    ("getrandom", errno.EACCES): None,  # Python itself does not start
}
#: Filters that kill the caller, as systemd's do: here the tracer, a separate process.
KILLED: dict[str, Outcome] = {
    "ptrace": stopping("SIGSYS"),
    "pipe2": Outcome(("launch: *",), ("SIGSYS",)),  # before there is a program to end
}
#: No filter refuses these: without them Python does not start, or does nothing.
ORDINARY = frozenset(
    (
        *("brk", "close", "dup", "dup2", "dup3", "execve", "exit", "exit_group", "faccessat"),
        *("faccessat2", "fcntl", "fstat", "fsync", "ftruncate", "futex", "getcwd", "getdents64"),
        *("geteuid", "getpid", "getppid", "gettid", "getuid", "lseek", "mmap", "mprotect"),
        *("mremap", "munmap", "newfstatat", "openat", "pipe2", "pselect6", "read", "readlink"),
        *("readlinkat", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigprocmask"),
        *("rt_sigreturn", "sysinfo", "uname", "unlink", "unlinkat", "write"),
    )
)


def numbers() -> dict[str, int]:
    """Return the numbers of this machine's system calls, from its C headers."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    done = subprocess.run(
        [*compiler, "-E", "-dM", "-"],
        input="#include <sys/syscall.h>\n",
        capture_output=True,
        text=True,
        check=True,
    )
    defined = re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE)
    return {name: int(number) for name, number in defined}
