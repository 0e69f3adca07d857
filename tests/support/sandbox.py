"""A seccomp filter (seccomp(2)) for the rest of a script: system calls that answer an errno."""

from __future__ import annotations

import ctypes
import struct

__all__ = ["PIDFD_OPEN", "PIDFD_SEND_SIGNAL", "deny"]

#: The same on every architecture (include/uapi/asm-generic/unistd.h).
PIDFD_SEND_SIGNAL, PIDFD_OPEN = 424, 434

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS; BPF_JMP | BPF_JEQ; BPF_RET
_ERRNO, ALLOW = 0x0005_0000, 0x7FFF_0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
_KILL_PROCESS = 0x8000_0000  # SECCOMP_RET_KILL_PROCESS
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
_ZERO = ctypes.c_ulong(0)


class FilterProgram:
    """A filter's program, with answers by number and a default; header: its struct sock_fprog."""

    def __init__(self, answers: dict[int, int], otherwise: int) -> None:
        steps = [(_LOAD, 0, 0, 0)]
        for number, answer in answers.items():
            steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
        steps.append((_RETURN, 0, 0, otherwise))
        self._steps = ctypes.create_string_buffer(
            b"".join(struct.pack("HBBI", *step) for step in steps)
        )
        self.header = ctypes.create_string_buffer(
            struct.pack("HP", len(steps), ctypes.addressof(self._steps))
        )


def give_up_privileges(libc: ctypes.CDLL) -> None:
    """Set no_new_privs: without CAP_SYS_ADMIN, the kernel requires it for a filter."""
    one = ctypes.c_ulong(1)
    if libc.prctl(_NO_NEW_PRIVILEGES, one, _ZERO, _ZERO, _ZERO) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def deny(answers: dict[int, int]) -> None:
    """Make each system call of these numbers fail with its errno from now on, in children too.

    An errno of 0: the filter kills the process.
    """
    refused = {
        number: _ERRNO | error if error else _KILL_PROCESS for number, error in answers.items()
    }
    program = FilterProgram(refused, ALLOW)
    libc = ctypes.CDLL(None, use_errno=True)
    give_up_privileges(libc)
    if libc.prctl(_SECCOMP, ctypes.c_ulong(_FILTER), program.header, _ZERO, _ZERO) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
