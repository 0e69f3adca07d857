"""The identity of a journal's target: one process, from its start to its end or next execve.

A process id alone is not enough, since it is reused. So a journal holds the process's start time
and its program, and an undo refuses any other process.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, JournalError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._regions import Module
    from pydbgwrite._target import Target

__all__ = ["check_target", "describe_target", "difference", "outlives_this_machine"]

_HEADER_BYTES: Final = 1024


def outlives_this_machine(session: Target) -> bool:
    """Return whether the target can outlive a crash of this machine; True if unknown."""
    if session._embedded:
        return False
    return (
        session.target in ("remote", "kernel")
        or session._wrapped
        or getattr(session, "_far", False)
    )


def describe_target(session: Target) -> dict[str, Any]:
    """Describe the target for a journal's header. Raises NoTargetError if it has ended."""
    identity: dict[str, Any] = {
        "target": session.target,
        "pid": session.pid,
        "pointer_size": session.pointer_size,
        "engine": f"{session.engine.name} {session.engine.version}",
    }
    if session.target == "simulated":
        identity["started"] = _token(session)
    elif session._embedded and session.pid is not None and sys.platform.startswith("linux"):
        identity.update(_linux(session))
    elif sys.platform == "win32" and session.pid is not None and not outlives_this_machine(session):
        identity["started"] = _windows_start(session.pid)
    module = _main_module(session, identity.get("program"))
    if module is not None:
        identity.update(program=module.path, base=module.base, size=module.size)
        if "exec" not in identity:
            identity["header"] = _header_of(session, module.base)
    return identity


#: The fields that must agree, and the message if one does not.
_QUESTIONS: Final = {
    "target": "it was made of a {was} target, and this session is of a {now} one",
    "pid": "it belongs to process {was}, and this session is of process {now}",
    "boot": "it was made before this machine was restarted",
    "started": "its process has ended, and another one has its id now",
    "exec": "its process runs another program now (execve)",
    "base": "its program {program} was at {was}, and the one here is at {now}",
    "size": "its program {program} had {was} bytes, and the one here has {now}",
    "header": "its program {program} is another build than the one here",
}


def check_target(header: dict[str, Any], session: Target, name: str) -> None:
    """Raise JournalError unless the session's target is the journal's target."""
    what = difference(header, describe_target(session))
    if what is not None:
        raise JournalError(
            f"the journal {name} belongs to another target: {what}. Nothing was written to it"
        )


def difference(was: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Return how two descriptions are of different targets, or None if they are of one."""
    for key, text in _QUESTIONS.items():
        if key not in was or (key == "exec" and key not in now):
            continue
        # If the system identifies the execve, the program's base is not compared.
        if key in ("base", "size") and "exec" in was and "exec" in now:
            continue
        if was[key] == now.get(key) or (key == "started" and _same_tick(was[key], now)):
            continue
        return text.format(
            was=_shown(key, was[key]),
            now=_shown(key, now.get(key)),
            program=was.get("program"),
        )
    return None


def _same_tick(was: object, now: dict[str, Any]) -> bool:
    """Return whether the start times are equal, apart from rounding an offset to whole ticks."""
    is_linux = "exec" in now and isinstance(was, str) and was.isdecimal() and len(was) <= 20
    return is_linux and abs(int(str(was)) - int(now["started"])) <= 1


def _shown(key: str, value: object) -> str:
    if key == "base" and isinstance(value, int):
        return f"0x{value:x}"
    return "none" if value is None else str(value)


def _token(session: Target) -> str:
    """Return a random id of this simulated session."""
    token: str | None = getattr(session, "_token", None)
    if token is None:
        token = session._token = os.urandom(16).hex()
    return token


def _linux(session: Target) -> dict[str, Any]:
    """Identify a process by its start time (proc_pid_stat(5)), the boot, and its execve.

    execve gives each program an auxiliary vector (getauxval(3)) with the addresses of the program,
    its stack and the vDSO, which are random each time.
    """
    import hashlib

    try:
        with (
            FileDescriptor(session._open_folder, False) as of_process,
            FileDescriptor(session._open_folder, True) as of_memory,
        ):
            started = _started(_read_file("stat", of_process))
            auxv = _read_file("auxv", of_memory)
            program = os.readlink("exe", dir_fd=of_memory.fileno()).removesuffix(" (deleted)")
    except not_from_handler(PermissionError) as error:
        from pydbgwrite._messages.linux import opening_failed

        raise opening_failed(
            "permission", error.errno or 0, "read(/proc/PID/auxv)", 0, session.pid
        ) from error
    except not_from_handler(OSError) as error:
        gone = error.errno in (errno.ENOENT, errno.ESRCH)
        kind = NoTargetError if gone else DebugEngineError
        raise kind(f"the process {session.pid} can't be identified: {error}") from error
    identity = {"started": started, "program": program}
    if auxv:
        identity["exec"] = hashlib.sha256(auxv).hexdigest()
    try:
        identity["boot"] = _read_file("/proc/sys/kernel/random/boot_id").decode().strip()
    except not_from_handler(OSError):
        pass  # a container may hide it
    return identity


def _started(stat: bytes) -> str:
    """Return the start time of a process in clock ticks since the boot.

    A time namespace adds an offset to the times it shows (time_namespaces(7)). It is removed here,
    unless the kernel does not add it to start times, as Linux 5.10.
    """
    ticks = int(stat.rpartition(b") ")[2].split()[19])
    try:
        text = _read_file("/proc/self/timens_offsets").decode()
    except not_from_handler(FileNotFoundError):  # a kernel without time namespaces
        return str(ticks)
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
        ticks -= offset * os.sysconf("SC_CLK_TCK") // 10**9
    return str(ticks)


def _shows_offset(seconds: float) -> bool:
    """Return whether times in /proc have the offset of the time namespace, as its clocks do."""
    import time

    if sys.platform != "linux":
        return True
    fields = dict(line.partition(b" ")[::2] for line in _read_file("/proc/stat").splitlines())
    # The kernel that adds it to start times subtracts it from the time of the boot.
    moved = int(fields[b"btime"]) - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    return abs(moved) < abs(moved - seconds)


def _read_file(path: str, folder: FileDescriptor | None = None) -> bytes:
    place = None if folder is None else folder.fileno()
    flags = os.O_RDONLY | os.O_CLOEXEC
    with FileDescriptor(os.open, path, flags, dir_fd=place).into_file("rb") as file:
        return file.read()


def _windows_start(pid: int) -> str:
    """Return the start time (GetProcessTimes) in units of 100 ns, or "" if access is denied."""
    if sys.platform != "win32":
        raise OSError("for Windows")
    import ctypes
    from ctypes import wintypes

    system = ctypes.WinDLL("kernel32", use_last_error=True)
    system.OpenProcess.restype = wintypes.HANDLE
    system.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    system.GetProcessTimes.argtypes = [wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4]
    system.CloseHandle.argtypes = [wintypes.HANDLE]
    handle = system.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return ""
    times = [wintypes.FILETIME() for _ in range(4)]
    try:
        if not system.GetProcessTimes(handle, *map(ctypes.byref, times)):
            return ""
    finally:
        system.CloseHandle(handle)
    return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime)


def _main_module(session: Target, program: str | None) -> Module | None:
    """Return the main module (of a kernel target the kernel), or None if it is unknown."""
    if session.target == "simulated":
        return None
    try:
        modules = session.modules()
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return None
    if program is not None:
        return next((each for each in modules if each.path == program), None)
    programs = [each for each in modules if each.name.lower().endswith(".exe")]
    return next(iter(programs or modules), None)


def _header_of(session: Target, base: int) -> str | None:
    """Return a checksum of the PE header's time stamp and checksum, which identify the build."""
    import hashlib

    try:
        page = session.read(base, _HEADER_BYTES)
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return None
    at = int.from_bytes(page[0x3C:0x40], "little")
    if page[:2] != b"MZ" or page[at : at + 4] != b"PE\0\0":
        return None
    # Signature, COFF header, and the optional header without the table of directories, which the
    # loader or a patch can have changed.
    return hashlib.sha256(page[at : at + 24]).hexdigest()
