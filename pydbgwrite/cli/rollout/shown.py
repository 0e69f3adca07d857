"""What the commands of a rollout print: its outcomes, what holds, and which command goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._report.files import write_private
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.held_output import OutputError
from pydbgwrite.cli.output import fail, on_terminal, print_json, print_table, stream_output
from pydbgwrite.cli.spelling import quoted
from pydbgwrite.rollout import STATES
from pydbgwrite.rollout import outcomes as state

if TYPE_CHECKING:
    from pydbgwrite import Patch
    from pydbgwrite.rollout import Outcome, Report
    from pydbgwrite.rollout.ahead import Ahead

__all__ = [
    "Shown",
    "code_of_report",
    "ended_early",
    "outcome_fields",
    "processes",
    "report_fields",
    "report_of",
    "show_counts",
    "show_rows",
    "tell",
    "told",
]

_COLUMNS: Final = ("machine", "pid", "program", "outcome", "detail")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a rollout is shown: the most processes of the table, as JSON, in a page.

    patch, ahead: for the page, if they are known.
    """

    rows: int | None
    as_json: bool
    page: str | None
    patch: Patch | None = None
    ahead: Sequence[Ahead] = ()

    def write_page(self, report: Report) -> None:
        """Write the page, if one is to be written; OutputError if that fails."""
        if self.page is None:
            return
        from pydbgwrite.rollout.page import page_of_rollout

        try:
            write_private(self.page, page_of_rollout(report, self.patch, self.ahead))
        except not_from_handler(OSError, ValueError) as failure:
            reason = getattr(failure, "strerror", None) or failure
            text = f"the report {self.page!r} could not be written: {reason}"
            raise OutputError(text) from failure


def processes(number: int) -> str:
    """Return a number of processes in words."""
    return f"{number:,} process{'' if number == 1 else 'es'}"


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of one outcome for JSON."""
    return outcome._asdict()


def report_fields(report: Report) -> dict[str, Any]:
    """Return the fields of a rollout for JSON."""
    return {
        "id": report.id,
        "ledger": report.folder,
        "ok": report.ok,
        "ended": report.ended,
        "in_use": report.in_use,
        "stopped": report.stopped or None,
        "undone": report.undone,
        "late": report.late,
        "stable": report.stable,
        "processes": len(report.outcomes),
        "counts": report.counts,
        "outcomes": [outcome_fields(each) for each in report.outcomes],
    }


def code_of_report(report: Report, *, undoing: bool = False) -> ExitCode:
    """Return the exit code of a rollout. undoing: the command was to undo it."""
    counts = report.counts
    if not report.ended or state.PARTLY_WRITTEN in counts or state.UNKNOWN in counts:
        return ExitCode.NOT_UNDONE
    if undoing or (report.undone and not report.stopped):
        return ExitCode.DONE
    if report.ok:
        return ExitCode.NOT_AS_EXPECTED if report.stable is False else ExitCode.DONE
    if state.UNDONE in counts or state.FAILED_AND_UNDONE in counts:
        return ExitCode.UNDONE
    if state.NO_ACCESS in counts and state.REFUSED not in counts:
        return ExitCode.NO_ACCESS
    return ExitCode.NOT_AS_EXPECTED


def told(report: Report, code: ExitCode, shown: Shown, why: str = "") -> ExitCode:
    """Print a rollout that is over, and write its page; return the exit code.

    Output that can't be written does not hide that the rollout failed. why: what is known besides
    of a stop.
    """
    try:
        try:
            tell(report, shown.rows, as_json=shown.as_json, why=why)
        finally:
            shown.write_page(report)
    except not_from_handler(OutputError) as failure:
        if code is ExitCode.DONE:
            raise
        if failure.message is not None:
            fail(failure.message)
    return code


def tell(report: Report, rows: int | None, *, as_json: bool, why: str = "") -> None:
    """Print a rollout: on stdout what became of it, on stderr what is not as it was to be.

    rows: the most processes of the table. why: what is known besides of a stop.
    """
    if as_json:
        print_json(report_fields(report))
    else:
        _show(report, rows)
    problems = _problems(report, why)
    if problems:
        stream_output()  # or the reason would stand above the table
        fail("; ".join(problems))


def ended_early(failure: BaseException, report: Report, shown: Shown) -> CommandError:
    """Return the CommandError for a rollout that an exception has ended.

    It prints the outcomes, and writes the page.
    """
    if not shown.as_json:
        _show(report, shown.rows, way_on=False)  # the message has it
    try:
        shown.write_page(report)
    except not_from_handler(OutputError) as other:
        fail(f"{other}")
    said = str(failure) or ("interrupted" if isinstance(failure, KeyboardInterrupt) else "failed")
    holds = report.counts.get(state.APPLIED, 0)
    if not report.ended:
        code = ExitCode.NOT_UNDONE
        # What was on its way when it ended is in the journals alone.
        of = f"{holds:,} of {processes(len(report.outcomes))}"
        what = f"by its ledger {of} hold the patch. {_way_on(report)}"
    else:
        interrupted = isinstance(failure, KeyboardInterrupt)
        code = ExitCode.INTERRUPTED if interrupted else ExitCode.UNDONE
        what = _undone(report)
    return CommandError(f"{said}; {what}", code, {"rollout": report_fields(report)})


def report_of(failure: BaseException) -> Report | None:
    """Return the report of the rollout that an exception has ended; None if it had not begun."""
    each: BaseException | None = failure
    while each is not None:  # Ctrl-C during the undo takes the place of what caused it
        report: Report | None = getattr(each, "rollout_report", None)
        if report is not None:
            return report
        each = each.__context__
    return None


def show_rows(
    columns: Sequence[str], rows: Sequence[tuple[bool, Sequence[str]]], limit: int | None
) -> None:
    """Print a table of processes. Of too many, those with a problem come first.

    rows: for each process whether it has a problem, and its cells.
    """
    if limit is not None and len(rows) > limit:
        rows = sorted(rows, key=lambda row: not row[0])
    shown = [cells for _, cells in rows[:limit]]
    if not any(cells[-1] for cells in shown):  # nothing needs a detail: more room for the rest
        columns, shown = columns[:-1], [cells[:-1] for cells in shown]
    print_table(
        columns,
        shown,
        right=("pid", "pointers", "change"),
        whole=("pid",),
        styles={"pid": "cyan"},
    )
    if len(shown) < len(rows):
        click.echo(f"... and {len(rows) - len(shown):,} more: --rows shows more")


def show_counts(found: Iterable[str], meanings: Mapping[str, str]) -> None:
    """Print how many processes are in each state, and the sum."""
    counts = Counter(found)
    rows = [
        (each, f"{counts[each]:,}", meaning) for each, meaning in meanings.items() if each in counts
    ]
    rows.append(("all", f"{counts.total():,}", ""))
    print_table(("outcome", "processes", "meaning"), rows, right=("processes",), whole=("outcome",))


def _show(report: Report, limit: int | None, *, way_on: bool = True) -> None:
    bad = state.FAILURES
    rows = [
        (each.state in bad, (each.host, f"{each.pid}", each.program, each.state, each.detail))
        for each in report.outcomes
    ]
    show_rows(_COLUMNS, rows, limit)
    if not on_terminal():
        click.echo()
    show_counts((each.state for each in report.outcomes), STATES)
    if report.late:
        click.echo(f"{report.late:,} of these had started meanwhile.")
    way = _way_on(report)
    if way and way_on:
        click.echo(way)


def _way_on(report: Report) -> str:
    """Return which commands go on from here; "" if nothing is left to do."""
    folder = quoted(report.folder)
    undo = f"pydbgwrite rollout undo {folder}"
    if report.in_use:
        return "A process works on it."
    if not report.ended and report.undone:
        return f"To go on with its undo: {undo}"
    if not report.ended:
        return f"To go on: pydbgwrite rollout resume {folder}\nTo undo it: {undo}"
    if state.APPLIED in report.counts or state.PARTLY_WRITTEN in report.counts:
        return f"To undo it: {undo}"
    return ""


def _undone(report: Report) -> str:
    """Return what holds after a rollout was undone."""
    wrote = {state.UNDONE, state.FAILED_AND_UNDONE}.intersection(report.counts)
    return "all that was applied is undone" if wrote else "nothing was written"


def _problems(report: Report, why: str) -> list[str]:
    """Return what is not as it was to be."""
    found = []
    if report.stopped:
        found.append(f"stopped: {report.stopped}{f' ({why})' if why else ''}")
        if report.undone and report.ended:
            found.append(_undone(report))
        elif not report.undone and state.APPLIED in report.counts:
            found.append(f"the patch stays in {processes(report.counts[state.APPLIED])}")
    elif report.failures and not report.undone:
        unknown, of = report.counts.get(state.UNKNOWN, 0), processes(len(report.outcomes))
        if len(report.failures) > unknown:
            found.append(f"{len(report.failures) - unknown:,} of {of} failed")
        if unknown:
            found.append(f"what {unknown:,} of {of} hold is unknown")
    if not report.ended and not report.in_use:
        found.append("it has not ended")
    if report.stable is False:
        found.append("processes still start: run it again")
    return found
