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
)
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import counted
from pydbgwrite.errors import NoTargetError

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["attach_to_program"]

#: The most processes that a message lists.
_MOST_LISTED = 20


def attach_to_program(program: str, **options: Any) -> Session:
    """Attach to the one process that runs a program; options are those of attach()."""
    chosen = _the_process(program)
    session = pydbgwrite.attach(chosen.pid, **options)
    # The id was another process's, perhaps, by the time that it was opened.
    if program_of(chosen.pid) != chosen.path:
        session.close()
        raise NoTargetError(
            f"process {chosen.pid}, which ran {chosen.path}, ended just now, or runs another "
            "program; nothing was written"
        )
    return session


def _the_process(program: str) -> Process:
    """Return the only process of a program, and one's own; else raise with all there are."""
    found = processes_of_program(program)
    if not found:
        raise NoTargetError(_not_found(program))
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


def _not_found(program: str) -> str:
    message = f"no process runs a program {'at' if is_path(program) else 'named'} {program!r}"
    hints = [] if is_path(program) else processes_called(program)
    if not hints:
        return f"{message} that can be seen here. A name is that of the executable's file"
    return (
        f"{message}; {counted(len(hints), 'process')[:-7]}process"
        f"{' calls itself' if len(hints) == 1 else 'es call themselves'} so. Give the id of one, "
        f"such as -p {hints[0].pid}:\n{_listed(hints)}"
    )


def _refused(message: str, found: list[Process]) -> CommandError:
    listed = [{"pid": each.pid, "user": each.user, "program": each.path} for each in found]
    return CommandError(message, ExitCode.BAD_USAGE, {"processes": listed})


def _listed(processes: list[Process]) -> str:
    shown = processes[:_MOST_LISTED]
    wide = max(len(str(each.pid)) for each in shown)
    user = max(len(each.user) for each in shown)
    lines = [
        f"  {each.pid:{wide}}  {each.user:{user}}  {each.path or '(its program is not shown)'}"
        for each in shown
    ]
    if len(processes) > len(shown):
        lines.append(f"  and {len(processes) - len(shown):,} more")
    return "\n".join(lines)
