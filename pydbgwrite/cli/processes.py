"""Choosing a process by the name of its program, and attaching to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydbgwrite
from pydbgwrite._processes import (
    Process,
    is_path,
    processes_called,
    processes_of_program,
    program_of,
    running_programs,
)
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import printable
from pydbgwrite.errors import NoTargetError

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["attach_to_program", "not_found"]

#: The most processes that a message lists.
_MOST_LISTED = 20


def attach_to_program(program: str, **options: Any) -> Session:
    """Attach to the one process that runs a program; options are those of attach()."""
    chosen = _the_process(program)
    session = pydbgwrite.attach(chosen.pid, **options)
    # The id was another process's, perhaps, by the time that it was opened.
    if program_of(chosen.pid) != chosen.path:
        session.close()
        unharmed = "; nothing was written" if options["writable"] else ""
        raise NoTargetError(
            f"process {chosen.pid}, which ran {chosen.path!r}, ended just now, or runs another "
            f"program{unharmed}"
        )
    return session


def _the_process(program: str) -> Process:
    """Return the only process of a program, and one's own; else raise with all there are."""
    found = processes_of_program(program)
    if not found:
        raise NoTargetError(not_found(program))
    first = found[0]
    if len(found) > 1:
        raise _refused(
            f"{len(found):,} processes run {program!r}. Give the id of one, such as -p {first.pid}:"
            f"\n{_listed(found)}",
            found,
        )
    if not first.own:
        raise _refused(
            f"{program!r} is a process of another user, which is not opened by its name. Give its "
            f"id if it is the one you mean, -p {first.pid}:\n{_listed(found)}",
            found,
        )
    return first


def not_found(program: str) -> str:
    """Return the message that no process runs a program, with what may have been meant."""
    if is_path(program):
        return f"no process that can be seen here runs the program at {program!r}"
    message = f"no process that can be seen here runs a program named {program!r}"
    hints = processes_called(program)
    if hints:
        call = "1 process calls itself" if len(hints) == 1 else f"{len(hints):,} call themselves"
        return (
            f"{message}; {call} so. Give the id of one, such as -p {hints[0].pid}:\n"
            f"{_listed(hints)}"
        )
    from pydbgwrite._symbols.advice import near

    alike = near([program], running_programs())
    if alike:
        return f"{message}; did you mean {' or '.join(map(repr, alike))}?"
    return f"{message}. It is the name of an executable file: of a script, its interpreter's"


def _refused(message: str, found: list[Process]) -> CommandError:
    listed = [{"pid": each.pid, "user": each.user, "program": each.path} for each in found]
    return CommandError(message, ExitCode.BAD_USAGE, {"processes": listed})


def _listed(processes: list[Process]) -> str:
    shown = processes[:_MOST_LISTED]
    wide = max(len(str(each.pid)) for each in shown)
    user = max(len(each.user) for each in shown)
    paths = [printable(each.path) or "(its program is not shown)" for each in shown]
    lines = [
        f"  {each.pid:{wide}}  {each.user:{user}}  {path}"
        for each, path in zip(shown, paths, strict=True)
    ]
    if len(processes) > len(shown):
        lines.append(f"  and {len(processes) - len(shown):,} more")
    return "\n".join(lines)
