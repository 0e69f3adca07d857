"""The expected outcome where a system call is refused, for each that the package makes on Linux.

A seccomp filter refuses calls (containers, systemd's SystemCallFilter=), and so does a kernel
without them: with ENOSYS, EPERM or EACCES. The matrix fails for a call that no table here has.
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

    kind: what the name of the exception begins with. perhaps: the refused steps may work, too.
    """

    refused: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    kind: str = "pydbgwrite."
    perhaps: bool = False


WORKS = Outcome()


def stopping(*words: str) -> Outcome:
    """What only a session that suspends takes: without, all works."""
    return Outcome(("suspended: attach", "launch: *"), words)


#: Where all works, the package takes another way, or loses nothing but speed.
CALLS: dict[str, Outcome] = {
    "access": WORKS,
    "clock_nanosleep": WORKS,
    "clone": Outcome(("launch: *",), ("clone",)),  # the tracer runs as a thread
    "clone3": stopping("clone3"),  # but for ENOSYS: see OTHERWISE
    "close_range": WORKS,  # fcntl(2) for each descriptor
    "eventfd2": stopping("eventfd2"),
    "getrandom": WORKS,
    "getxattr": WORKS,
    "ioctl": WORKS,  # PROCMAP_QUERY: the text of /proc/PID/maps
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
#: What a kernel of 4.18 lacks of them.
KERNEL_4_18 = "clone3 close_range faccessat2 openat2 pidfd_open pidfd_send_signal"
#: Several at once.
TOGETHER: dict[str, Outcome] = {
    "ptrace kcmp process_vm_readv process_vm_writev": stopping("ptrace"),
    KERNEL_4_18: WORKS,
    "ioctl kcmp process_vm_readv process_vm_writev": WORKS,
    "process_vm_readv process_vm_writev": WORKS,
    "pidfd_open pidfd_send_signal kill": Outcome(("launch: terminate",), ("kill",)),
    "process_vm_writev pwrite64": Outcome(("*: attach", "launch: *"), ("pwrite64",)),
}
#: Where the error makes a difference; None: it is never given.
OTHERWISE: dict[tuple[str, int], Outcome | None] = {
    ("clone3", errno.ENOSYS): WORKS,  # the C library then makes threads by clone(2), and only then
    (KERNEL_4_18, errno.EPERM): None,
    (KERNEL_4_18, errno.EACCES): None,
    ("getrandom", errno.EACCES): None,  # Python itself does not start
}
#: Filters that kill whoever makes the call, as systemd's do: here the tracer, a process apart.
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
    """The system calls of this machine, as its C headers number them."""
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
