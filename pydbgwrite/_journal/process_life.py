"""Whether the process of a journal still lives, without opening it."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal, TypeAlias

from pydbgwrite._journal.linux_process import digest, machine, same_tick, started
from pydbgwrite._journal.windows_process import NO_SUCH_PROCESS, windows_process
from pydbgwrite._processes import read_file
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import NoTargetError

__all__ = ["Life", "life_of", "start_of"]

#: "replaced": it runs another program now (execve). "unknown": this machine can't tell.
Life: TypeAlias = Literal["lives", "ended", "replaced", "unknown"]


def life_of(header: dict[str, Any]) -> Life:
    """Return whether a journal's process lives and runs its program.

    "unknown" is what is no process, or one of another machine or another container.
    """
    pid, was = header.get("pid"), header.get("started")
    if header.get("target") != "process" or pid is None or not was:
        return "unknown"
    if sys.platform == "win32":
        return _life_on_windows(pid, was)
    if not sys.platform.startswith("linux"):
        return "unknown"
    here = machine()
    if header.get("boot") != here.get("boot"):
        # A home folder can be that of several machines.
        is_here = "machine" in here and header.get("machine") == here["machine"]
        return "ended" if is_here else "unknown"
    if header.get("pid_namespace") != here.get("pid_namespace"):
        return "unknown"
    try:
        os.kill(pid, 0)
    except not_from_handler(ProcessLookupError):
        return "ended"
    except not_from_handler(OSError, OverflowError):
        pass  # another user's process; or an id that no process can have, which /proc lacks too
    try:
        stat = read_file(f"/proc/{pid}/stat")
        now = started(stat)
    except not_from_handler(NoTargetError, OSError):
        return "unknown"  # /proc can hide other users' processes (proc(5), hidepid)
    if not same_tick(was, now) or _is_dead(stat):
        return "ended"
    try:
        auxv = read_file(f"/proc/{pid}/auxv")
    except not_from_handler(OSError):
        return "lives"  # another user's
    return "lives" if not auxv or header.get("exec") in (None, digest(auxv)) else "replaced"


def start_of(pid: int) -> str | None:
    """Return when a process started, as a journal's header has it; None if it is not there."""
    if sys.platform == "win32":
        found = windows_process(pid)
        return str(found.started) if found.runs else None
    try:
        stat = read_file(f"/proc/{pid}/stat")
        return None if _is_dead(stat) else started(stat)
    except not_from_handler(NoTargetError, OSError):
        return None


def _is_dead(stat: bytes) -> bool:
    """Return whether a process has ended and only its parent has not yet asked for its exit code.

    Of a process whose first thread has ended, others can still run (proc_pid_stat(5)).
    """
    fields = stat.rpartition(b") ")[2].split()
    return fields[0] in (b"Z", b"X") and int(fields[17]) <= 1


def _life_on_windows(pid: int, started: str) -> Life:
    found = windows_process(pid)
    if not found.error:
        return "lives" if found.runs and str(found.started) == started else "ended"
    return "ended" if found.error == NO_SUCH_PROCESS else "unknown"
