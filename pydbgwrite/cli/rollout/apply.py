"""pydbgwrite rollout apply: look at the processes, then patch them in stages."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.asking import ask, can_ask
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.listing import row_limit, rows_option
from pydbgwrite.cli.output import (
    counted,
    example,
    fail,
    on_terminal,
    print_json,
    printable,
    stream_output,
)
from pydbgwrite.cli.parameters import FILE, FOLDER
from pydbgwrite.cli.patches import load_patch, report_option, side_files_option, write_report
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.rollout.check import CheckProgram, check_option
from pydbgwrite.cli.rollout.choosing import choice_options, found_by
from pydbgwrite.cli.rollout.ledgers import has_ledger, new_folder, remove_if_empty
from pydbgwrite.cli.rollout.live import live
from pydbgwrite.cli.rollout.shown import (
    Shown,
    code_of_report,
    ended_early,
    processes,
    report_of,
    show_counts,
    show_rows,
    told,
)
from pydbgwrite.cli.targets import json_option
from pydbgwrite.rollout import STATES
from pydbgwrite.rollout import outcomes as state
from pydbgwrite.rollout.ahead import READY, Ahead, look_ahead

if TYPE_CHECKING:
    from pydbgwrite import Patch
    from pydbgwrite.rollout import Choice, FoundProcess

__all__ = ["apply"]

_COLUMNS: Final = ("pid", "program", "user", "build id", "traceable", "now", "change", "detail")
_MEANINGS: Final = {READY: "the patch fits, and would be written", **STATES}


class _Share(click.ParamType):  # type: ignore[type-arg]
    """A number of processes, or a percentage of all."""

    name = "number"

    def __init__(self, least: int) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> int | str:
        text = f"{value}"
        match = re.fullmatch(r"([0-9]{1,9})|(100|[0-9]{1,2})%", text, re.ASCII)
        if match is None:
            self.fail(
                f"{text[:40]!r} is neither a number of processes nor a percentage, such as 25%.",
                param,
                context,
            )
        if int(match[1] or match[2]) < self._least:
            self.fail("it must be at least one process.", param, context)
        return text if match[1] is None else int(text)


@click.command(epilog=example("pydbgwrite rollout apply patch.toml --program shop --batch 25%"))
@click.argument("patch", type=FILE, metavar="PATCH.toml")
@choice_options
@click.option(
    "--canary",
    type=_Share(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Patch so many processes first: a number, or a percentage of all.",
)
@click.option(
    "--batch",
    type=_Share(1),
    default="25%",
    show_default=True,
    metavar="N",
    help="Then so many at a time.",
)
@click.option(
    "--max-failures",
    type=_Share(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Stop if more processes fail.",
)
@click.option(
    "--pause",
    type=click.FloatRange(min=0, max=1e6),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long between the batches.",
)
@check_option
@click.option(
    "--until-stable",
    is_flag=True,
    help="At the end, look for processes that have started meanwhile, and patch them too.",
)
@click.option("--keep", is_flag=True, help="If it stops, keep what was applied.")
@click.option(
    "--ledger",
    type=FOLDER,
    metavar="FOLDER",
    help="Keep the ledger in this folder. Without it, one is made for `pydbgwrite rollout undo`.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change. Write nothing.")
@report_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@rows_option
@side_files_option
@json_option
def apply(
    patch: str,
    choice: Choice,
    check: str | None,
    ledger: str | None,
    dry_run: bool,
    report: str | None,
    yes: bool,
    rows: int | None,
    side_files_anywhere: bool,
    as_json: bool,
    **stages: Any,
) -> int:
    """Apply a patch file to all processes that fit, in stages.

    First shows the processes, and what would change in each, and asks. Then patches the canary,
    and batch after batch: in each process all of the patch, or nothing. If more processes fail than
    --max-failures allows, or the --check fails, or on Ctrl-C, nothing new begins, and all that was
    applied is undone, that of finished batches too; with --keep it is kept.

    A second rollout of the same patch applies what is missing. The folder with the ledger is
    printed: `status`, `resume` and `undo` take it.

    Without a terminal, or with --json, it can't ask: give --yes or --dry-run.

    Exit codes: 0 each process that lives holds the patch; 1 one does not hold what is expected, or
    the check failed; 3 one can't be accessed, or none fits; 4 it was undone; 5 it has not ended, or
    a process may hold a part. `pydbgwrite --help` has the others.
    """
    asks = not (yes or dry_run)
    if asks and (as_json or not can_ask()):
        raise click.UsageError(
            "It can't ask without a terminal, or with --json: give --yes to write, or --dry-run to "
            "see what would change."
        )
    if ledger is not None and has_ledger(ledger):
        raise click.UsageError(
            f"{ledger!r} has the ledger of a rollout already: resume that or undo it, or choose "
            "another folder."
        )
    work = _Work(load_patch(patch, side_files_anywhere), patch, choice, report, rows, as_json)
    ahead: list[Ahead] = []
    found = found_by(choice)
    if asks or dry_run or report is not None:
        ahead = work.look(found)
    if dry_run or (asks and not any(each.state == READY for each in ahead)):
        return work.end_dry(ahead)
    if asks:
        work.show_ahead(ahead)
        ready = sum(each.state == READY for each in ahead)
        changed = sum(each.changed for each in ahead if each.state == READY)
        stream_output()
        ask(
            f"Patch {ready:,} of {processes(len(ahead))}, {counted(changed, 'pointer')} to change?",
            "not confirmed; nothing was written",
        )
    return work.apply(ledger, check, stages, ahead)


@dataclass(frozen=True, slots=True)
class _Work:
    """The work of the command; rows: the option."""

    patch: Patch
    patch_file: str
    choice: Choice
    report: str | None
    rows: int | None
    as_json: bool

    def look(self, found: Sequence[FoundProcess]) -> list[Ahead]:
        """Look into the processes, and write the page of a preview if there is to be one."""
        from pydbgwrite.rollout.host import machine_name

        ahead = []
        with progress_bar("looking") as bar:
            for number, each in enumerate(found, 1):
                ahead.append(look_ahead(self.patch, each, with_rows=self.report is not None))
                if bar is not None:
                    bar(number, len(found))
        if self.report is not None:
            from pydbgwrite.rollout.page import page_ahead

            # Also before a rollout: then a file that can't be written is known in time.
            page = page_ahead(self.patch, ahead, machine_name())
            write_report(self.report, page, self.patch_file)
        return ahead

    def end_dry(self, ahead: Sequence[Ahead]) -> int:
        """Print what would be done; return the exit code."""
        states = {each.state for each in ahead}
        if self.as_json:
            print_json(
                {
                    "dry_run": True,
                    "counts": {
                        name: count
                        for name in _MEANINGS
                        if (count := sum(each.state == name for each in ahead))
                    },
                    "processes": [_fields(each) for each in ahead],
                }
            )
        else:
            self.show_ahead(ahead)
            if self.report is not None:
                click.echo(f"The report to review is {printable(self.report)}.")
            click.echo("Nothing was written.")
        if state.REFUSED in states:
            return ExitCode.NOT_AS_EXPECTED
        return ExitCode.NO_ACCESS if state.NO_ACCESS in states else ExitCode.DONE

    def show_ahead(self, ahead: Sequence[Ahead]) -> None:
        """Print the processes, and how many of them are in each state."""
        rows = [(each.state in state.FAILURES, _cells(each)) for each in ahead]
        show_rows(_COLUMNS, rows, row_limit(self.rows, as_json=False))
        if not on_terminal():
            click.echo()
        show_counts((each.state for each in ahead), _MEANINGS)

    def apply(
        self, ledger: str | None, check: str | None, stages: dict[str, Any], ahead: Sequence[Ahead]
    ) -> int:
        """Run the rollout, and print what became of it; return the exit code."""
        from pydbgwrite import rollout

        folder = os.path.abspath(ledger) if ledger is not None else new_folder()
        rows = row_limit(self.rows, as_json=self.as_json)
        how = Shown(rows, self.as_json, self.report, self.patch, ahead)
        with live("applying") as shown:
            program = None if check is None else CheckProgram(check, folder, shown.erase)
            if ledger is None:  # whatever becomes of this command, the rollout can be found
                fail(f"the ledger of this rollout is {folder}")
            try:
                report = rollout.apply(
                    self.patch,
                    self.choice,
                    ledger=folder,
                    check=program,
                    progress=shown.progress,
                    **stages,
                )
            except (Exception, KeyboardInterrupt) as failure:
                shown.erase()
                found = report_of(failure)
                if found is None:
                    raise _not_begun(failure, folder, ledger) from failure
                raise ended_early(failure, found, how) from failure
        why = "" if program is None else program.failed
        return told(report, code_of_report(report), how, why)


def _not_begun(failure: BaseException, folder: str, ledger: str | None) -> BaseException:
    """Return the exception that ends the command where nothing was written."""
    if ledger is None:
        remove_if_empty(folder)
    if isinstance(failure, not_from_handler(OSError)):
        return CommandError(
            f"the ledger in {folder!r} can't be made: {failure.strerror or failure}; nothing was "
            "written",
            ExitCode.BAD_USAGE,
        )
    return failure


def _cells(each: Ahead) -> tuple[str, ...]:
    process = each.process
    return (
        f"{process.pid}",
        process.program or "(not shown)",
        process.user,
        each.build_id or "-",
        "no" if process.problem else "yes",
        each.state,
        f"{each.changed:,} of {each.pointers:,}" if each.pointers else "-",
        each.detail,
    )


def _fields(each: Ahead) -> dict[str, Any]:
    process = each.process
    return {
        "pid": process.pid,
        "program": process.program,
        "build_id": each.build_id or None,
        "user": process.user,
        "problem": process.problem or None,
        "state": each.state,
        "detail": each.detail,
        "pointers": each.pointers,
        "changed": each.changed,
    }
