"""pydbgwrite rollout status, resume and undo: what became of a rollout, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.listing import row_limit, rows_option
from pydbgwrite.cli.output import example, fail, print_json, print_table
from pydbgwrite.cli.parameters import FILE, FOLDER
from pydbgwrite.cli.rollout.check import CheckProgram, check_option
from pydbgwrite.cli.rollout.ledgers import kept, read_status
from pydbgwrite.cli.rollout.live import Live, live
from pydbgwrite.cli.rollout.shown import (
    Shown,
    code_of_report,
    ended_early,
    report_of,
    tell,
    told,
)
from pydbgwrite.cli.targets import json_option

if TYPE_CHECKING:
    from pydbgwrite.rollout import Report

__all__ = ["resume", "status", "undo"]

_folder = click.argument("folder", type=FOLDER)
_report_option = click.option(
    "--report", type=FILE, metavar="FILE", help="Write a page with what became of each process."
)


@click.command(epilog=example("pydbgwrite rollout status rollout-2026-11"))
@click.argument("folder", type=FOLDER, required=False)
@rows_option
@json_option
def status(folder: str | None, rows: int | None, as_json: bool) -> int:
    """Show what became of each process, as the ledger in FOLDER has it. Touches no process.

    Without FOLDER, list the rollouts whose ledger is where `rollout apply` keeps it without
    --ledger, the last one at the end.

    Exit codes: 0 the ledger was read; 2 there is none that can be read.
    """
    if folder is None:
        _list(as_json)
    else:
        tell(read_status(folder), row_limit(rows, as_json=as_json), as_json=as_json)
    return ExitCode.DONE


def _list(as_json: bool) -> None:
    """Print the rollouts whose ledgers are in the state folder."""
    folder, ledgers = kept()
    found: list[tuple[str, Report | None, str]] = []
    for each in ledgers:
        try:
            found.append((each, read_status(each), ""))
        except not_from_handler(CommandError) as failure:
            found.append((each, None, str(failure)))
    if as_json:
        listed = [
            {
                "ledger": each,
                "ended": None if report is None else report.ended,
                "in_use": None if report is None else report.in_use,
                "counts": {} if report is None else report.counts,
                "fault": fault or None,
            }
            for each, report, fault in found
        ]
        print_json({"folder": folder, "rollouts": listed})
    elif not found:
        click.echo("No ledger is kept in your state folder. With --ledger, give the folder of it.")
    else:
        rows = [(each, *_in_short(report, fault)) for each, report, fault in found]
        print_table(("ledger", "state", "processes"), rows, styles={"ledger": "cyan"})


def _in_short(report: Report | None, fault: str) -> tuple[str, str]:
    if report is None:
        return "can't be used", fault
    state = "in use" if report.in_use else "ended" if report.ended else "not ended"
    return state, ", ".join(f"{count:,} {name}" for name, count in report.counts.items())


@click.command(epilog=example("pydbgwrite rollout resume rollout-2026-11"))
@_folder
@check_option
@_report_option
@rows_option
@json_option
def resume(
    folder: str, check: str | None, report: str | None, rows: int | None, as_json: bool
) -> int:
    """Go on with the rollout whose ledger is in FOLDER, after a crash.

    What holds is found from the ledger, from the journals of the processes, and from the processes
    themselves. A rollout that was being undone is undone to its end. One that has ended is left as
    it is. A rollout that had a --check needs one.

    Exit codes: those of `pydbgwrite rollout apply`.
    """

    def work(shown: Live) -> tuple[Report, str]:
        from pydbgwrite import rollout

        program = None if check is None else CheckProgram(check, folder, shown.erase)
        found = rollout.resume(folder, check=program, progress=shown.progress)
        return found, "" if program is None else program.failed

    return _run(folder, "applying", work, Shown(row_limit(rows, as_json=as_json), as_json, report))


@click.command(epilog=example("pydbgwrite rollout undo rollout-2026-11"))
@_folder
@click.option(
    "--force", is_flag=True, help="Also restore conflicts: memory that has been changed since."
)
@_report_option
@rows_option
@json_option
def undo(folder: str, force: bool, report: str | None, rows: int | None, as_json: bool) -> int:
    """Undo all that the rollout whose ledger is in FOLDER has applied.

    Each process is undone from its own journal, also after a crash. It can be run again. What
    others have written since stays, and the process is partly written; --force restores it, too.

    Exit codes: 0 all is undone; 2 no usable ledger; 5 not everything could be undone.
    """

    def work(shown: Live) -> tuple[Report, str]:
        from pydbgwrite import rollout

        return rollout.undo(folder, force=force, progress=shown.progress), ""

    return _run(folder, "undoing", work, Shown(row_limit(rows, as_json=as_json), as_json, report))


def _run(
    folder: str,
    what: str,
    work: Callable[[Live], tuple[Report, str]],
    how: Shown,
) -> int:
    """Do the work on a rollout, and print what became of it; return the exit code.

    what: "applying" or "undoing".
    """
    before = read_status(folder)
    machines = {each.host for each in before.outcomes}
    if len(machines) > 1:
        fail(
            f"warning: the rollout has processes on {len(machines):,} machines, and this command "
            "reaches those of this one. pydbgwrite.rollout in Python reaches all"
        )
    with live(what) as shown:
        try:
            report, why = work(shown)
        except (Exception, KeyboardInterrupt) as failure:
            shown.erase()
            found = report_of(failure)
            if found is None and isinstance(failure, KeyboardInterrupt):
                found = read_status(folder)
            if found is None:
                raise  # nothing was begun
            raise ended_early(failure, found, how) from failure
    return told(report, code_of_report(report, undoing=what == "undoing"), how, why)
