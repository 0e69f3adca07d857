"""pydbgwrite retarget: find the pointers to one place, and make them lead to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pydbgwrite.cli.applying import Application, Planned
from pydbgwrite.cli.kept_journals import journal_options
from pydbgwrite.cli.output import example, fail
from pydbgwrite.cli.parameters import COUNT, NumbersCommand
from pydbgwrite.cli.patches import durable_option, report_option, rows_option
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.searching import (
    bits_of,
    found_fields,
    has_failed_reads,
    mask_option,
    places_of,
    pointers_of,
    show_counts,
    within_option,
)
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["retarget"]


@click.command(
    cls=NumbersCommand,
    epilog=example("pydbgwrite retarget -p shop 'shop!old_table' 'shop!new_table'"),
)
@click.argument("old")
@click.argument("new")
@target_options()
@within_option
@mask_option
@click.option(
    "--expect-count",
    type=COUNT,
    metavar="N",
    help="Do not ask: write if N pointers are found, and nothing if not.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change. Write nothing.")
@journal_options
@durable_option
@report_option
@click.option("--yes", is_flag=True, help="Do not ask: write what is found.")
@rows_option
@json_option
def retarget(
    target: Target,
    old: str,
    new: str,
    within: tuple[str, ...],
    mask: str | None,
    expect_count: int | None,
    dry_run: bool,
    journal: str | None,
    no_journal: bool,
    durable: bool,
    report: str | None,
    yes: bool,
    rows: int,
    as_json: bool,
) -> int:
    """Make every stored pointer to OLD point to NEW: all of them, or nothing.

    OLD and NEW are addresses in any form that `read` takes. OLD can also be a module or FIRST..END
    (END is not part of it). Then what pointed into OLD points at the same offset from NEW.

    By default the data of modules is searched, and of a module in --within its data alone. Stacks
    and the heap must be named: an integer that happens to have the value is replaced, too.

    First shows each pointer before and after, and asks. A process goes on meanwhile: if it no
    longer holds what was shown when the answer comes, nothing is written. The data is read back. If
    the write fails, or on Ctrl-C, all of it is undone.

    Without a terminal, or with --json, it can't ask: give --expect-count, --yes or --dry-run.
    """
    asks = not (yes or dry_run or expect_count is not None)
    application = Application(
        target, dry_run, asks, journal, no_journal, durable, True, report, rows, as_json
    )
    application.check("--expect-count N or --yes")
    bits = bits_of(mask)

    def plan(session: Session) -> Planned:
        return _plan(session, old, new, within, bits, expect_count)

    return application.run(None, plan, _show, _fields)


def _plan(
    session: Session,
    old: str,
    new: str,
    within: tuple[str, ...],
    mask: int | None,
    expect_count: int | None,
) -> Planned:
    from pydbgwrite import Preview

    with progress_bar("searching") as progress:
        plan = session.retarget(
            pointers_of(session, old),
            pointers_of(session, new),
            within=places_of(session, within),
            mask=mask,
            expect_count=expect_count,
            dry_run=True,
            progress=progress,
        )
    if plan.patch is None:
        return Planned(None, Preview(session.pointer_size, []), plan.found)
    return Planned(plan.patch, plan.patch.preview(session), plan.found)


def _show(planned: Planned) -> None:
    found = planned.found
    assert found is not None
    show_counts(found)
    if not found or has_failed_reads(found):
        fail(f"found {found}")


def _fields(planned: Planned) -> dict[str, Any]:
    assert planned.found is not None
    return found_fields(planned.found)
