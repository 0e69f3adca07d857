"""Opening sessions on Linux: attaching, and launching programs.

A process has one tracer at a time. A script that was killed leaves its target traced for a moment:
the kernel detaches it when the tracer has ended. An attach in that moment, such as that of
`pydbgwrite undo`, waits for it. A program's arguments go to C as bytes and descriptors.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time

from pydbgwrite import _core
from pydbgwrite._core import FileDescriptor
from pydbgwrite._session import Session
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import TargetAccessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO, Final, TypeVar

    from _typeshed import StrOrBytesPath

    _T = TypeVar("_T")

assert sys.platform.startswith("linux")

__all__ = ["attach", "launch", "suspend"]

#: Of a thread that ends, or that a signal ends: include/linux/sched.h, PF_EXITING and PF_SIGNALED.
_ENDING: Final = 0x4 | 0x400
_KILLED: Final = 1 << 8  # SIGKILL in SigPnd and ShdPnd of /proc/PID/status
#: What a tracer of this package calls itself (linux/host.c). It dies with its parent.
_OURS: Final = "pydbgwrite"


def attach(pid: int, suspend: bool, writable: bool, timeout: float) -> Session:
    """Attach with the embedded engine. Wait, within the timeout, for a tracer that is dying."""
    return _untraced(
        pid, timeout, lambda left: _core.linux_attach(Session, pid, suspend, writable, left)
    )


def suspend(session: Session, timeout: float) -> None:
    """Suspend a process that was attached without, as attach() would have done; else do nothing.

    Raises what attach() raises; NoTargetError also if the process runs another program now.
    """
    assert session.pid is not None
    _untraced(session.pid, timeout, lambda left: _core.linux_suspend(session, left))


def _untraced(pid: int, timeout: float, call: Callable[[float], _T]) -> _T:
    """Call with the seconds that are left; again after the end of a tracer that is dying."""
    until = time.monotonic() + timeout
    ended: set[int] = set()
    while True:
        left = max(until - time.monotonic(), 0)
        try:
            return call(left)
        except not_from_handler(TargetAccessError):
            # 0: nobody traces it, perhaps no more since the attempt. So there is one more.
            tracer = int(_status(pid).get("TracerPid", "0"))
            if tracer in ended or (tracer and not _wait_for_end(tracer, left)):
                raise
            ended.add(tracer)


def _wait_for_end(tracer: int, seconds: float) -> bool:
    """Wait for a process that is dying; False if it lives on or can't be waited for."""
    try:
        descriptor = FileDescriptor(os.pidfd_open, tracer)
    except not_from_handler(ProcessLookupError):
        return True
    except not_from_handler(OSError):  # a kernel before 5.3, or a seccomp filter
        return False
    with descriptor:
        poll = select.poll()
        poll.register(descriptor.fileno(), select.POLLIN)
        # If it ended meanwhile, its number may be another's, and says nothing of it.
        wait = min(seconds * 1000, 2**31 - 1) if _is_dying(tracer) else 0
        return bool(poll.poll(wait))


def _is_dying(pid: int) -> bool:
    """Return whether a tracer is dead or dying. A process of ours ends with its parent."""
    if _has_end_before_it(pid):
        return True
    status = _status(pid)
    apart = status.get("Name") == _OURS and status.get("Tgid") == str(pid)
    return apart and _has_end_before_it(int(status.get("PPid", "0")))


def _has_end_before_it(pid: int) -> bool:
    status = _status(pid)
    if any(int(status.get(name, "0"), 16) & _KILLED for name in ("SigPnd", "ShdPnd")):
        return True
    # The name, in parentheses, may hold anything; then state, ..., and flags as the seventh.
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except not_from_handler(OSError):
        return True
    return not fields or bool(int(fields[6]) & _ENDING)


def _status(pid: int) -> dict[str, str]:
    from pydbgwrite._processes import status_fields

    return status_fields(f"/proc/{pid}/status")


def launch(
    args: Sequence[StrOrBytesPath],
    cwd: StrOrBytesPath | None,
    env: Mapping[str, str] | None,
    standard: tuple[int | IO[bytes] | IO[str] | None, ...],
    writable: bool,
    timeout: float,
) -> Session:
    """Launch a program under the embedded engine."""
    words = tuple(_word(each, f"args[{index}]") for index, each in enumerate(args))
    environment = _environment(os.environ if env is None else env)
    stdin, stdout, stderr = (
        _descriptor(name, each)
        for name, each in zip(("stdin", "stdout", "stderr"), standard, strict=True)
    )
    folder = None if cwd is None else _word(cwd, "cwd")
    session = _core.linux_launch(
        Session,
        _program(words[0], env),
        words,
        environment,
        folder,
        (stdin, stdout, stderr),
        writable,
        timeout,
    )
    try:
        lost = _lost_privilege(session.pid)
        if lost:
            import warnings

            warnings.warn(_LOST.format(lost, os.fsdecode(words[0])), RuntimeWarning, stacklevel=3)
    except BaseException:  # of a filter that makes warnings errors, too
        session.terminate()
        raise
    return session


_LOST: Final = (
    "{1!r} runs without its privilege ({0}): the kernel gives none to a program that is traced by "
    "a script without CAP_SYS_PTRACE, that has no_new_privs, or that is on a file system mounted "
    "with nosuid (execve(2)). If it needs that, start it by itself, and attach as root"
)


def _lost_privilege(pid: int | None) -> str:
    """Return the privileges of a started program's file that the process did not get."""
    from pydbgwrite._processes import read_status

    program = f"/proc/{pid}/exe"
    try:
        file = os.stat(program)
    except not_from_handler(OSError):  # it has ended, or its file can't be reached
        return ""
    try:
        status = read_status(f"/proc/{pid}/status")
    except not_from_handler(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return ""
    lost = []
    if file.st_mode & stat.S_ISUID and [str(file.st_uid)] != status["Uid"].split()[1:2]:
        lost.append(f"set-user-id {file.st_uid}")
    # Without the right to execute, this bit meant mandatory locking.
    by_group = stat.S_ISGID | stat.S_IXGRP
    if file.st_mode & by_group == by_group and [str(file.st_gid)] != status["Gid"].split()[1:2]:
        lost.append(f"set-group-id {file.st_gid}")
    if _file_capabilities(program) & ~int(status["CapPrm"], 16):
        lost.append("file capabilities")
    return ", ".join(lost)


def _file_capabilities(program: str) -> int:
    """Return a file's permitted capabilities (capabilities(7); linux/capability.h)."""
    try:
        data = os.getxattr(program, "security.capability")
    except not_from_handler(OSError):  # ENODATA: it has none
        return 0
    low, high = (int.from_bytes(data[at : at + 4], "little") for at in (4, 12))
    return high << 32 | low


def _word(text: StrOrBytesPath, what: str) -> bytes:
    """Return a path or argument as the bytes that execve(2) takes."""
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"{what}: embedded null byte in {text!r}")
    return encoded


def _environment(env: Mapping[str, str]) -> tuple[bytes, ...]:
    pairs = []
    for name, value in env.items():
        if "=" in name:
            raise ValueError(f"env: illegal name {name!r}")
        pairs.append(_word(f"{name}={value}", "env"))
    return tuple(pairs)


def _descriptor(name: str, file: int | IO[bytes] | IO[str] | None) -> int:
    if file is None:
        return -1
    if isinstance(file, bool) or not (isinstance(file, int) or hasattr(file, "fileno")):
        raise TypeError(f"{name} must be a file or a descriptor, got {type(file).__name__}")
    number = file if isinstance(file, int) else file.fileno()
    if number < 0:
        raise ValueError(
            f"{name} must be a file or a descriptor, got {number}; "
            "for subprocess's DEVNULL and PIPE, open os.devnull or make an os.pipe()"
        )
    os.fstat(number)  # raises OSError where it is not open
    return number


def _program(word: bytes, env: Mapping[str, str] | None) -> bytes:
    """Find the program: on PATH, if it has no slash."""
    if b"/" in word:
        return word
    # Only where a program is looked for: this import costs as much as half the package.
    import shutil

    path = None if env is None else env.get("PATH")
    found = shutil.which(os.fsdecode(word), path=path)
    if found is None:
        raise FileNotFoundError(2, "no such program on PATH", os.fsdecode(word))
    return os.fsencode(found)
