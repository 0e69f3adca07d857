"""The system calls of a process, each reported to another process by a seccomp filter.

strace can't be used: it traces the process, and no session can open a process that is already
traced. User notification (seccomp_unotify(2), Linux 5.5) traces nothing: the process with the
filter's listener receives each call and continues it.
"""

from __future__ import annotations

import ctypes
import fcntl
import platform
import select
import socket
import struct

from support import sandbox

__all__ = ["begin", "record"]

#: Their numbers on x86-64 and on aarch64.
_SECCOMP, _SENDMSG, _EXECVE = (277, 211, 221) if platform.machine() == "aarch64" else (317, 46, 59)
_SET_FILTER, _NEW_LISTENER = 1, 8  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER
_NOTIFY = 0x7FC0_0000  # SECCOMP_RET_USER_NOTIF
#: struct seccomp_notif and seccomp_notif_resp of linux/seccomp.h, and the calls that move them.
_NOTIFICATION, _ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
_RECEIVE = 3 << 30 | _NOTIFICATION.size << 16 | ord("!") << 8
_SEND = 3 << 30 | _ANSWER.size << 16 | ord("!") << 8 | 1
_CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE


def begin(channel: int) -> None:
    """Make each call wait for record(), which runs at the other end of this socket."""
    with socket.socket(fileno=channel) as way:
        libc = ctypes.CDLL(None, use_errno=True)
        program = sandbox.FilterProgram({_SENDMSG: sandbox.ALLOW}, _NOTIFY)
        sandbox.give_up_privileges(libc)
        listener = libc.syscall(_SECCOMP, _SET_FILTER, _NEW_LISTENER, program.header)
        if listener < 0:
            raise OSError(ctypes.get_errno(), "seccomp")
        socket.send_fds(way, [b"x"], [listener])


def record(channel: socket.socket) -> set[int]:
    """Return the numbers of all calls of the process at the other end, until it has ended.

    Calls of its children count, up to their execve(2): later ones are another program's.
    """
    made: set[int] = set()
    others: set[int] = set()
    listeners = socket.recv_fds(channel, 1, 1)[1]
    if not listeners:
        raise OSError("the process has ended before its first call")
    with open(listeners[0], "rb", buffering=0) as listener:
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        while waiting.poll()[0][1] & select.POLLIN:
            told = bytearray(_NOTIFICATION.size)
            try:
                fcntl.ioctl(listener, _RECEIVE, told)
                call, process, _, number, *_ = _NOTIFICATION.unpack(told)
                fcntl.ioctl(listener, _SEND, _ANSWER.pack(call, 0, 0, _CONTINUE))
            except FileNotFoundError:  # a signal ended the call, or the process
                continue
            if process not in others:
                made.add(number)
            if number == _EXECVE:
                others.add(process)
    return made
