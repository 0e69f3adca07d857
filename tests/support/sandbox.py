"""A seccomp filter (seccomp(2)) for the rest of a script: system calls that answer an errno."""

from __future__ import annotations

import ctypes
import platform
import struct

__all__ = ["NUMBERS", "PIDFD_OPEN", "PIDFD_SEND_SIGNAL", "deny"]

#: The same on every architecture (include/uapi/asm-generic/unistd.h).
PIDFD_SEND_SIGNAL, PIDFD_OPEN = 424, 434
#: Others, on x86-64 and on aarch64.
NUMBERS = {
    name: numbers[platform.machine() == "aarch64"]
    for name, numbers in {
        "ioctl": (16, 29),
        "ptrace": (101, 117),
        "waitid": (247, 95),
        "eventfd2": (290, 19),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "kcmp": (312, 272),
    }.items()
}

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS; BPF_JMP | BPF_JEQ; BPF_RET
_ERRNO, _ALLOW = 0x0005_0000, 0x7FFF_0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP


def deny(answers: dict[int, int]) -> None:
    """From now on each system call of these numbers gives that errno, in children, too."""
    steps = [(_LOAD, 0, 0, 0)]
    for number, error in answers.items():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    for arguments in (
        (_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero),
        (_SECCOMP, ctypes.c_ulong(_FILTER), header, zero, zero),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
