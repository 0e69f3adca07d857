"""What identifies a Linux process, and this machine among those that share a home folder."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from pydbgwrite._core import FileDescriptor
from pydbgwrite._processes import DELETED, read_file
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["digest", "identity_of", "machine", "same_tick", "started"]


def identity_of(session: Target) -> dict[str, Any]:
    """Identify a process by its start time (proc_pid_stat(5)), the boot, and its execve.

    execve gives each program an auxiliary vector (getauxval(3)) with the addresses of the program,
    its stack and the vDSO, which are random each time.
    """
    try:
        with FileDescriptor(session._open_folder, True) as folder:
            stat = read_file("stat", folder)
            auxv = read_file("auxv", folder)
            program = os.readlink("exe", dir_fd=folder.fileno()).removesuffix(DELETED)
        if stat.partition(b" ")[0] != str(session.pid).encode():  # its first thread has ended
            with FileDescriptor(session._open_folder, False) as folder:
                stat = read_file("stat", folder)
        ticks = started(stat)
    except not_from_handler(PermissionError) as error:
        from pydbgwrite._messages.linux import opening_failed

        raise opening_failed(
            "permission", error.errno or 0, "read(/proc/PID/auxv)", 0, session.pid
        ) from error
    except not_from_handler(OSError) as error:
        gone = error.errno in (errno.ENOENT, errno.ESRCH)
        kind = NoTargetError if gone else DebugEngineError
        raise kind(f"the process {session.pid} can't be identified: {error}") from error
    identity = {"started": ticks, "program": program}
    if auxv:
        identity["exec"] = digest(auxv)
    return {**identity, **machine()}


_machine: dict[str, dict[str, str]] = {}


def machine() -> dict[str, str]:
    """Identify this machine, its boot, and the namespace that process ids belong to."""
    own = _namespace("pid")
    known = _machine.get(own)
    if known is None:
        known = _machine[own] = _read_machine(own)
    return known


_namespaces: dict[str, str] = {}


def _namespace(kind: str) -> str:
    """Return the name of a namespace of this process, or "".

    It is read once, since a rollout asks several times for each process, and again in a forked
    child, which can begin in another one.
    """
    known = _namespaces.get(kind)
    if known is None:
        try:
            known = os.readlink(f"/proc/self/ns/{kind}")
        except not_from_handler(OSError):
            known = ""
        _namespaces[kind] = known
    return known


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_namespaces.clear)


def _read_machine(pid_namespace: str) -> dict[str, str]:
    name = b""
    try:
        name = os.uname().nodename.encode()
        name += read_file("/etc/machine-id")
    except not_from_handler(OSError):
        pass  # a filter can refuse uname(2), and a container has no such file
    # A machine's id is confidential (machine-id(5)), so only a digest of it is stored.
    here = {"machine": digest(name)} if name else {}
    try:
        here["boot"] = read_file("/proc/sys/kernel/random/boot_id").decode().strip()
    except not_from_handler(OSError):
        pass  # a container may hide it
    if pid_namespace:
        here["pid_namespace"] = pid_namespace
    return here


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes as text."""
    # hashlib loads OpenSSL, which takes some milliseconds of each undo. CPython's own modules come
    # first, as in its random.py. A name that no folder has is looked up in all of them each time.
    own = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        sha256 = importlib.import_module(own).sha256
    except not_from_handler(ImportError):
        from hashlib import sha256
    text: str = sha256(data).hexdigest()
    return text


def started(stat: bytes) -> str:
    """Return the start time of a process in clock ticks since the boot.

    A time namespace adds an offset to the times it shows (time_namespaces(7)). It is removed here,
    unless the kernel does not add it to start times, as Linux 5.10.
    """
    ticks = int(stat.rpartition(b") ")[2].split(None, 20)[19])
    return str(ticks - _ticks_shown())


_shown: dict[str, int] = {}


def _ticks_shown() -> int:
    """Return what is added to start times; a time namespace with a process keeps its offset."""
    own = _namespace("time")
    shown = _shown.get(own)
    if shown is None:
        shown = _shown[own] = _read_ticks_shown()
    return shown


def _read_ticks_shown() -> int:
    try:
        text = read_file("/proc/self/timens_offsets").decode()
    except not_from_handler(FileNotFoundError):  # a kernel without time namespaces
        return 0
    # The file has the offsets of the children's namespace.
    if os.readlink("/proc/self/ns/time") != os.readlink("/proc/self/ns/time_for_children"):
        raise NoTargetError(
            "the start time of a process can't be determined: this process has made another time "
            "namespace for its children. Run this in such a child (unshare --time --fork)"
        )
    offsets = {name: (seconds, rest) for name, seconds, rest in map(str.split, text.splitlines())}
    seconds, nanoseconds = map(int, offsets["boottime"])
    offset = seconds * 10**9 + nanoseconds
    if offset and _shows_offset(offset / 10**9):
        return offset * os.sysconf("SC_CLK_TCK") // 10**9
    return 0


def _shows_offset(seconds: float) -> bool:
    """Return whether times in /proc have the offset of the time namespace, as its clocks do."""
    import time

    if sys.platform != "linux":
        return True
    fields = dict(line.partition(b" ")[::2] for line in read_file("/proc/stat").splitlines())
    # The kernel that adds it to start times subtracts it from the time of the boot.
    moved = int(fields[b"btime"]) - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    return abs(moved) < abs(moved - seconds)


def same_tick(one: str, other: str) -> bool:
    """Return whether start times are equal, apart from rounding an offset to whole ticks."""
    are_ticks = all(each.isdecimal() and len(each) <= 20 for each in (one, other))
    return are_ticks and abs(int(one) - int(other)) <= 1
