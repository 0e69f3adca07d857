"""pydbgwrite undo: restore what a journal's transaction replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from pydbgwrite.cli.asking import ask, can_ask
from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.history import time_of
from pydbgwrite.cli.kept_journals import kept_of_number, last_kept, read_info
from pydbgwrite.cli.output import (
    example,
    fail,
    on_terminal,
    print_fields,
    print_json,
    print_table,
)
from pydbgwrite.cli.parameters import FILE
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import JournalInfo, Session, UndoReport
    from pydbgwrite._journal.place import JournalPlace

__all__ = ["undo"]

#: int() has its own error for texts of thousands of digits.
_LONGEST_NUMBER: Final = 20


@click.command(epilog=example("pydbgwrite undo patch.journal"))
@click.argument("journal", type=FILE, required=False)
@target_options(required=False)
@click.option(
    "--force", is_flag=True, help="Also restore conflicts: memory that has been changed since."
)
@click.option("--yes", is_flag=True, help="Without JOURNAL: do not ask.")
@json_option
def undo(target: Target, journal: str | None, force: bool, yes: bool, as_json: bool) -> int:
    """Restore what the writes of a JOURNAL replaced.

    JOURNAL is a file, or a number that `pydbgwrite history` shows. Without it, the last write of
    `write` or `apply` that is not undone is undone, of the process of -p if that is given: it is
    shown first, and you are asked. Without a terminal, or with --json, give --yes. If its process
    has ended, nothing is undone, and the last write to a process that lives is named.

    It works even if the program that wrote has crashed. The journal names its process; name a
    target on another machine by --connect or --kernel. A process that is not the journal's is
    refused. A location that holds neither the old nor the written value is a conflict: it is
    listed, not changed. Undo can be run again.

    Exit codes: 0 everything is restored; 2 no usable journal; 3 the target has gone; 5 not
    everything could be restored; 130 interrupted, or the answer no.
    """
    if journal is None:
        if not yes and (as_json or not can_ask()):
            raise click.UsageError(
                "It can't ask without a terminal, or with --json: give --yes to undo the last "
                "write, or the JOURNAL to undo."
            )
        with last_kept(target) as (place, info):
            if target.kind == "pid":  # a name chose the journal, and that its process
                target = replace(target, value=info.pid)
            target = _target(target, info)
            if not yes:
                _ask(info)
            return _undo_and_report(target, place, info, force, as_json)
    number = journal.isascii() and journal.isdecimal() and len(journal) <= _LONGEST_NUMBER
    if number and not os.path.lexists(journal):
        with kept_of_number(int(journal)) as (place, info):
            return _undo_and_report(target, place, info, force, as_json)
    return _undo_and_report(target, journal, read_info(journal), force, as_json)


def _ask(info: JournalInfo) -> None:
    """Show a write and ask whether to undo it; a CommandError unless the answer is yes."""
    fields = {
        "program": info.program or f"the {info.target} target",
        "pid": "none" if info.pid is None else f"{info.pid}",
        "command": info.command,
        "time": time_of(info.created),
        "written": f"{info.bytes:,} bytes",
    }
    print_fields("The last write:", fields)
    ask("Undo it?", "not confirmed; nothing was undone")


def _undo_and_report(
    target: Target, journal: str | JournalPlace, info: JournalInfo, force: bool, as_json: bool
) -> int:
    with _target(target, info).open(writable=True) as session:
        report = _undo(session, journal, force)
    if as_json:
        from pydbgwrite.cli.undoing import report_fields

        print_json({"journal": os.fspath(journal), "pid": info.pid, **report_fields(report)})
    else:
        _show(info, report)
    if not report.complete:
        fail(f"not everything was undone: {report}")
        return ExitCode.NOT_UNDONE
    return ExitCode.DONE


def _undo(session: Session, journal: str | JournalPlace, force: bool) -> UndoReport:
    import pydbgwrite
    from pydbgwrite.cli.undoing import interrupted_undo

    try:
        with progress_bar("undoing") as progress:
            return pydbgwrite.undo(journal, session, force=force, progress=progress)
    except KeyboardInterrupt as interrupt:
        raise interrupted_undo(interrupt) from interrupt


def _target(given: Target, info: JournalInfo) -> Target:
    """Return the target of the options, or the journal's process if they name none."""
    if given.kind is not None:
        return given
    if info.target != "process" or info.pid is None:
        raise click.UsageError(
            f"The journal does not identify its target ({info.target}): give --connect, --kernel "
            "or -p."
        )
    return Target("pid", info.pid, given.timeout, given.engine, given.suspend)


def _show(info: JournalInfo, report: UndoReport) -> None:
    from pydbgwrite.cli.undoing import value_of

    title = "Restored." if report.complete else "Not everything is restored."
    fields = {
        "target": f"{info.target}{'' if info.pid is None else f' {info.pid}'} {info.program}",
        "restored": f"{report.restored:,} bytes",
        "already original": f"{report.unchanged:,} bytes",
    }
    if info.command:
        fields["written by"] = info.command
    if report.conflict_total:
        fate = "restored too" if report.forced else "not changed; --force restores them too"
        fields["conflicts"] = f"{report.conflict_total:,} ({fate})"
    if report.conflict_total and report.undone_before:
        fields["undone before"] = "yes, and the target has been written to since"
    if report.torn:
        fields["journal"] = "its last record is incomplete; that write had not begun"
    print_fields(title, fields)
    if report.conflicts:
        _print_labelled(
            ("conflict at", "before", "written", "found now"),
            [(f"0x{each.address:x}", *map(value_of, each[1:])) for each in report.conflicts],
            {"conflict at": "cyan", "found now": "red"},
        )
    if report.remaining:
        _print_labelled(
            ("not undone at", "bytes", "why"),
            [(f"0x{address:x}", f"{size}", why) for address, size, why in report.remaining],
            {"not undone at": "cyan"},
        )


def _print_labelled(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]
) -> None:
    """Print a table; elsewhere than on a terminal each value stands behind its column's name."""
    if not on_terminal():
        rows = [
            [f"{name} {value}" for name, value in zip(columns, row, strict=True)] for row in rows
        ]
    print_table(columns, rows, whole=columns[:1], styles=styles)
