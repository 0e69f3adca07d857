"""Running processes by the program that each runs.

A process is known by the file name of its executable. Its own name (comm) and its arguments are
whatever it sets, so neither of them chooses a process here. On Windows case does not matter, and
".exe" can be left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler

__all__ = [
    "DELETED",
    "Process",
    "file_name",
    "is_path",
    "own_processes",
    "process_of",
    "processes_called",
    "processes_of_program",
    "processes_that",
    "program_of",
    "read_file",
    "running_programs",
    "runs",
    "status_field",
    "status_fields",
    "with_program",
]

#: What the kernel adds to the path of a file that was removed or replaced (proc_pid_exe(5),
#: proc_pid_maps(5)). A file can have such a name, too.
DELETED: Final = " (deleted)"
_PIECE: Final = 1 << 16


class Process(NamedTuple):
    """A running process.

    Attributes:
        pid: Its process id.
        path: Its executable; "" if this user may not see it.
        user: The name of its user.
        own: True if that is the user that runs this.
    """

    pid: int
    path: str
    user: str
    own: bool


def is_path(program: str) -> bool:
    """Return whether a text names a file by its path, and not a program by its name."""
    return "/" in program or (sys.platform == "win32" and "\\" in program)


def processes_of_program(program: str) -> list[Process]:
    """Return the processes that run a program, by pid.

    This process is not among them, and none of its parents that run the same executable: a script
    that starts the command, say.

    program: a file name ("shop"), or a path ("./shop", "/opt/shop").
    """
    return processes_that(runs(program))


def processes_that(fits: Callable[[int, str], bool]) -> list[Process]:
    """Return the processes of which fits(pid, path of the executable) is true, in the same way."""
    ours = own_processes()
    return [
        _described(pid, path) for pid, path in _running() if pid not in ours and fits(pid, path)
    ]


def process_of(pid: int) -> Process | None:
    """Return a running process by its id; None if there is none, or if it runs no file."""
    if sys.platform == "win32":
        from pydbgwrite._windows_processes import path_of, running

        found = next((each for each in running() if each.pid == pid), None)
        return None if found is None else _described(pid, path_of(pid) or found.name)
    try:
        return _described(pid, _executable(pid))
    except not_from_handler(PermissionError):
        return _described(pid, "")
    except not_from_handler(OSError):
        return None


def running_programs() -> list[str]:
    """Return the names of all programs that run and may be seen, each once."""
    names = (file_name(path).removesuffix(DELETED) for _, path in _running() if path)
    return sorted(set(names))


def processes_called(name: str) -> list[Process]:
    """Return processes that give themselves a name, whatever they run: for a hint, no more."""
    if sys.platform == "win32":
        return []  # a process can't name itself there
    ours = own_processes()
    short = name[:15]  # TASK_COMM_LEN, proc_pid_comm(5)
    return [
        _described(pid, path)
        for pid, path in _running()
        if pid not in ours and _comm(pid) in (name, short)
    ]


def program_of(pid: int) -> str | None:
    """Return the path of a process's executable, or None if it is not known."""
    if sys.platform == "win32":
        from pydbgwrite._windows_processes import path_of

        return path_of(pid)
    try:
        return _executable(pid).removesuffix(DELETED)
    except not_from_handler(OSError):
        return None


def with_program(pid: int) -> str:
    """Return how messages name a process: "shop (pid 71)", or "process 71"."""
    path = program_of(pid)
    if path is None:
        return f"process {pid}"
    name = file_name(path)
    if not name.isprintable():  # a file's name can have lines
        name = name.encode("unicode_escape").decode()
    return f"{name} (pid {pid})"


def read_status(path: str) -> dict[str, str]:
    """Return the fields of a /proc/PID/status file; OSError if it can't be read."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        pairs = (line.partition(":") for line in lines)
        return {key: value.strip() for key, _, value in pairs}


def read_file(path: str, folder: FileDescriptor | None = None) -> bytes:
    """Return the content of a small file of the system."""
    place = None if folder is None else folder.fileno()
    flags = os.O_RDONLY | os.O_CLOEXEC
    content = b""
    with FileDescriptor(os.open, path, flags, dir_fd=place) as file:
        while part := os.read(file.fileno(), _PIECE):
            content += part
    return content


def status_field(pid: int, name: str) -> str:
    """Return one field of a process's status; "" if it can't be read. All take much longer."""
    try:
        text = b"\n" + read_file(f"/proc/{pid}/status")
    except not_from_handler(OSError):
        return ""
    found = text.partition(f"\n{name}:".encode())[2].partition(b"\n")[0]
    return found.decode(errors="replace").strip()


def status_fields(path: str) -> dict[str, str]:
    """Return the fields of a /proc/PID/status file; none if it can't be read."""
    try:
        return read_status(path)
    except not_from_handler(OSError):
        return {}


def file_name(path: str) -> str:
    """Return the last part of a path."""
    return path[max(path.rfind("/"), path.rfind("\\") if sys.platform == "win32" else -1) + 1 :]


def runs(program: str) -> Callable[[int, str], bool]:
    """Return a function that tells of a process's id and executable whether that is the program.

    program: as for processes_of_program(). An id of 0 is that of no process.
    """
    return _same_file(program) if is_path(program) else _same_name(program)


def _same_name(program: str) -> Callable[[int, str], bool]:
    if sys.platform == "win32":
        wanted = program.lower()
        return lambda pid, path: file_name(path).lower() in (wanted, f"{wanted}.exe")
    return lambda pid, path: file_name(path) in (program, program + DELETED)


def _same_file(program: str) -> Callable[[int, str], bool]:
    """Compare files, not paths: links lead to one file by many paths."""
    wanted = os.path.realpath(program)

    def fits(pid: int, path: str) -> bool:
        if path in (wanted, wanted + DELETED):
            return True
        running = path if sys.platform == "win32" else f"/proc/{pid}/exe"
        try:
            # Another user's file system (FUSE) may not answer, so its files are not asked for.
            if sys.platform != "win32" and os.stat(f"/proc/{pid}").st_uid != os.geteuid():
                return False
            return os.path.samefile(running, wanted)
        except not_from_handler(OSError):
            return False

    return fits


def _running() -> Iterator[tuple[int, str]]:
    """Yield the pid and the executable of each process; "" for one that may not be seen.

    Windows tells the file name even then.
    """
    if sys.platform == "win32":
        from pydbgwrite._windows_processes import path_of, running

        for each in sorted(running()):
            yield each.pid, path_of(each.pid) or each.name
        return
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        try:
            yield pid, _executable(pid)
        except not_from_handler(PermissionError):
            yield pid, ""
        except not_from_handler(OSError):
            pass  # it has ended, or it is a thread of the kernel, which runs no file


def _executable(pid: int) -> str:
    """Return what the link leads to. Of a file that is gone this ends with " (deleted)".

    A file can have such a name. To tell these would take a look at the file, which anyone chooses.
    """
    return os.readlink(f"/proc/{pid}/exe")


def _described(pid: int, path: str) -> Process:
    if sys.platform == "win32":
        from pydbgwrite._windows_processes import user_of

        return Process(pid, path, *user_of(pid))
    # Real, effective, saved and file system ids: they differ in a program that is set-user-id.
    ids = [int(each) for each in status_field(pid, "Uid").split()]
    real, *others = ids or [-1]
    user = _user(real) + "".join(f" as {_user(each)}" for each in others[:1] if each != real)
    own = set(ids) == {os.geteuid()}
    return Process(pid, path.removesuffix(DELETED), user, own)


def _name_of_user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except not_from_handler(KeyError, OverflowError):
        return str(number)


#: A name is looked up once: thousands of processes have one user.
_user = lru_cache(maxsize=64)(_name_of_user)


def _comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="surrogateescape") as file:
            return file.read().removesuffix("\n")
    except not_from_handler(OSError):
        return ""


def own_processes() -> set[int]:
    """Return this process, and the parents that run the same executable."""
    mine = program_of(os.getpid())
    ours = {os.getpid()}
    parent = os.getppid()
    parent_of = _parents()
    while parent and parent not in ours:
        if program_of(parent) == mine:
            ours.add(parent)
        parent = parent_of(parent)
    return ours


def _parents() -> Callable[[int], int]:
    if sys.platform == "win32":
        from pydbgwrite._windows_processes import running

        parents = {each.pid: each.parent for each in running()}
        return lambda pid: parents.get(pid, 0)
    return lambda pid: int(status_fields(f"/proc/{pid}/status").get("PPid", "0"))
