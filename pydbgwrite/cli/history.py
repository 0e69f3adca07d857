"""pydbgwrite history: the writes of the command line, as the kept journals have them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._processes import file_name
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.kept_journals import open_kept
from pydbgwrite.cli.output import example, print_json, print_table
from pydbgwrite.cli.targets import json_option

if TYPE_CHECKING:
    from pydbgwrite._journal.kept import Kept

__all__ = ["history", "time_of"]

_COLUMNS: Final = ("number", "when", "program", "pid", "now", "state", "command")
_LIVES: Final = {
    "lives": "lives",
    "ended": "ended",
    "replaced": "runs another program",
    "unknown": "?",
}


@click.command(epilog=example("pydbgwrite history"))
@json_option
def history(as_json: bool) -> None:
    """List the writes that a journal is kept of, the last one at the end.

    For each: its number, which `pydbgwrite undo NUMBER` takes, when it was made, its process and
    whether that still lives, whether it was undone, and the command line that made it.
    """
    folder, journals = _kept()
    if as_json:
        print_json({"folder": folder, "journals": [_fields(each) for each in journals]})
    elif not journals:
        click.echo("No journal is kept.")
    else:
        print_table(
            _COLUMNS,
            [_row(each) for each in journals],
            right=("number", "pid"),
            whole=("number", "when", "pid"),
            styles={"number": "cyan"},
        )


def _kept() -> tuple[str | None, list[Kept]]:
    """Return the folder and its journals, the last one at the end; None if there is no folder."""
    try:
        kept = open_kept(create=False)
    except not_from_handler(FileNotFoundError):
        return None, []
    try:
        return kept.path, [*kept.newest_first()][::-1]
    finally:
        kept.close()


def _row(each: Kept) -> tuple[str, ...]:
    number = f"{each.number}"
    if each.info is None:
        return number, "", "", "", "", _state(each), ""
    info = each.info
    return (
        number,
        time_of(info.created),
        file_name(info.program) or info.target,
        "" if info.pid is None else f"{info.pid}",
        _LIVES[each.life],
        _state(each),
        info.command,
    )


def time_of(seconds: float) -> str:
    """Return a time in the local time zone; "?" if it is none."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except not_from_handler(OverflowError, ValueError, OSError):
        return "?"


def _state(each: Kept) -> str:
    if each.info is None:
        return f"can't be used: {each.fault}" if each.fault else "nothing was written"
    if each.info.state == "undone":
        return "undone"
    if each.in_use:
        return "in use by a command"
    if each.undoing:
        return "not all undone"
    return "applied" if each.info.state == "committed" else "open (the command was killed)"


def _fields(each: Kept) -> dict[str, Any]:
    fields = {
        "number": each.number,
        "journal": each.place.path,
        "state": None,
        "process": each.life,
        "in_use": each.in_use,
        "undo_unfinished": each.undoing,
        "fault": each.fault or None,
        "created": None,
        "pid": None,
        "target": None,
        "program": None,
        "command": None,
        "bytes": None,
    }
    if each.info is not None:
        names = ("state", "created", "pid", "target", "program", "command", "bytes")
        fields.update((name, getattr(each.info, name)) for name in names)
    return fields
