"""Which processes a rollout is for. A choice is plain data, and is evaluated where they run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pydbgwrite._journal.process_life import start_of
from pydbgwrite._messages.spelling import IN_FORCE, any_of
from pydbgwrite._processes import (
    Process,
    process_of,
    processes_that,
    read_file,
    runs,
    status_field,
)
from pydbgwrite._reprs import record_repr
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["Choice", "FoundProcess", "choice_of", "recorded_choice"]


class FoundProcess(NamedTuple):
    """A process that fits a choice.

    Attributes:
        pid: Its process id.
        program: The path of its executable; "" if this user may not see it.
        user: The name of its user.
        started: Tells it from a later process of the same pid, in the system's own terms.
        problem: Why this user may not trace it; "" if nothing is known against it.
    """

    pid: int
    program: str
    user: str
    started: str
    problem: str


class Choice(NamedTuple):
    """Which processes a rollout is for: those for which each part that is given holds.

    processes() makes it. It holds plain data, so it can be sent to another machine. With `server`,
    where a process server is, it is for that one's machine: process_server() makes it.
    """

    program: str | None = None
    build_id: str | None = None
    user: str | None = None
    cgroup: str | None = None
    pids: tuple[int, ...] | None = None
    server: str | None = None

    def __repr__(self) -> str:
        return record_repr(self)

    def look(self) -> list[FoundProcess]:
        """Return the processes of this machine that fit, by pid.

        This process is not among them, and none of its parents that run the same executable. A
        process of which this user may not see what the choice asks for is left out, unless its
        program fits: then it is listed, with its problem. Each of `pids` is listed, also one that
        does not exist.
        """
        found = []
        for each in self._candidates():
            problem = _problem_of(each.pid)
            if self._fits(each, problem):
                started = start_of(each.pid) or ""
                found.append(FoundProcess(each.pid, each.path, each.user, started, problem))
        return found

    def _candidates(self) -> list[Process]:
        fits = runs(self.program) if self.program is not None else _any
        if self.pids is None:
            return processes_that(fits)
        named = []
        for pid in self.pids:
            each = process_of(pid)
            if each is None:
                named.append(Process(pid, "", "", False))
            elif self.program is None or fits(pid, each.path):
                named.append(each)
        return named

    def _fits(self, each: Process, problem: str) -> bool:
        if self.user is not None and not _is_user(each, self.user):
            return False
        if self.cgroup is not None and not _is_in(each.pid, self.cgroup):
            return False
        if self.build_id is None:
            return True
        if problem:
            return self.program is not None or self.pids is not None
        from pydbgwrite.rollout.build import build_id_of_process

        return build_id_of_process(each.pid) == self.build_id

    def __str__(self) -> str:
        names = ("program", "build id", "user", "cgroup", "pids", "process server")
        given = [
            f"{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"
            for name, value in zip(names, self, strict=True)
            if value is not None
        ]
        return ", ".join(given)


def choice_of(
    program: str | None,
    build_id: str | None,
    user: str | int | None,
    cgroup: str | None,
    pids: Iterable[int] | None,
) -> Choice:
    """Return the choice of these parts. TypeError or ValueError if one is not valid."""
    for name, value in (("program", program), ("build_id", build_id), ("cgroup", cgroup)):
        if value is not None and (not isinstance(value, str) or not value or "\0" in value):
            raise _fault(name, value, "a text that is not empty")
    if user is not None and (
        isinstance(user, bool) or not isinstance(user, (str, int)) or user == ""
    ):
        raise _fault("user", user, "a name or a number")
    numbers = None
    if pids is not None:
        given = list(pids)
        if not given or not all(type(each) is int and 0 < each < 2**32 for each in given):
            raise _fault("pids", given, "process ids, at least one")
        numbers = tuple(sorted(set(given)))  # a process is patched once
    named = IN_FORCE.get().argument
    everywhere = cgroup is not None and not cgroup.strip("/")
    if program is None and build_id is None and numbers is None and (cgroup is None or everywhere):
        needed = any_of(*map(named, ("program", "build_id", "cgroup", "pids")))
        raise ValueError(f"a rollout needs {needed}: all processes of a machine are no target")
    if sys.platform == "win32" and (build_id is not None or cgroup is not None):
        raise ValueError(
            f"{named('build_id')} and {named('cgroup')} are for Linux; give the build in the patch"
        )
    from pydbgwrite._patch.builds import plain_hex

    plain = None if build_id is None else plain_hex(build_id)
    if plain is not None and not re.fullmatch(r"[0-9a-f]+", plain, re.ASCII):
        raise _fault("build_id", build_id, "hexadecimal digits")
    if program is not None and os.sep in program:
        program = os.path.abspath(program)  # a later look can be from another folder
    return Choice(program, plain, None if user is None else str(user), cgroup, numbers)


def recorded_choice(parts: list[Any]) -> Choice:
    """Return the choice that JSON has as a list: one of an earlier version has no server."""
    program, build_id, user, cgroup, pids, *server = parts
    return Choice(program, build_id, user, cgroup, None if pids is None else tuple(pids), *server)


def _fault(name: str, value: object, wanted: str) -> Exception:
    from pydbgwrite._patch.entry import shown

    kind = ValueError if isinstance(value, (str, list)) else TypeError
    return kind(f"{IN_FORCE.get().name(name)} must be {wanted}, got {shown(value)}")


def _any(pid: int, path: str) -> bool:
    return bool(path)


def _is_user(each: Process, user: str) -> bool:
    if user == each.user:
        return True
    if sys.platform == "win32":
        return False
    if not user.isdecimal():
        from pwd import getpwnam

        try:
            user = str(getpwnam(user).pw_uid)
        except not_from_handler(KeyError):
            return False
    ids = status_field(each.pid, "Uid").split()
    return ids[1:2] == [user]


#: A container's id, or the beginning of one.
_ID: Final = re.compile(r"[0-9a-f]{12,64}", re.ASCII)


def _is_in(pid: int, wanted: str) -> bool:
    """Return whether a process is in a control group: a path, its last part, or a container's id.

    Container runtimes put the id into the name of the group, such as docker-ID.scope.
    """
    try:
        lines = os.fsdecode(read_file(f"/proc/{pid}/cgroup")).splitlines()
    except not_from_handler(OSError):
        return False
    for line in lines:
        path = line.split(":", 2)[-1]
        if wanted.startswith("/"):
            if f"{path}/".startswith(f"{wanted.rstrip('/')}/"):
                return True
            continue
        for name in path.split("/"):
            bare = name.removesuffix(".scope").rpartition("-")[2]
            if wanted == name or (_ID.fullmatch(wanted) and bare.startswith(wanted)):
                return True
    return False


def _problem_of(pid: int) -> str:
    """Return why this user may not trace a process; "" if nothing is known against it."""
    if pid == os.getpid():
        return "it is this very process"
    if sys.platform == "win32":
        from pydbgwrite._journal.windows_process import windows_process

        code = windows_process(pid).error
        return f"it can't be opened (error {code} of Windows)" if code else ""
    from pydbgwrite._core import FileDescriptor
    from pydbgwrite._messages.linux import opening_failed

    try:
        # The kernel asks here what it asks of a tracer (proc_pid_mem(5), ptrace(2)).
        with FileDescriptor(os.open, f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC):
            pass
    except not_from_handler(PermissionError) as error:
        code = error.errno or 0
        return str(opening_failed("permission", code, "open(/proc/PID/mem)", 0, pid))
    except not_from_handler(FileNotFoundError):
        return "there is no such process"
    except not_from_handler(OSError) as error:
        return f"it can't be opened: {error.strerror}"
    tracer = int(status_field(pid, "TracerPid") or "0")
    return f"process {tracer} traces it, and a process has one tracer" if tracer else ""
