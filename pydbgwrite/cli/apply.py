"""pydbgwrite apply: preview a patch file, then write all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pydbgwrite.cli.applying import Application, Planned
from pydbgwrite.cli.kept_journals import journal_options
from pydbgwrite.cli.output import example
from pydbgwrite.cli.parameters import FILE
from pydbgwrite.cli.patches import (
    durable_option,
    load_patch,
    report_option,
    rows_option,
    side_files_option,
)
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["apply"]


@click.command(epilog=example("pydbgwrite apply -p shop patch.toml"))
@click.argument("patch", type=FILE, metavar="PATCH.toml")
@target_options()
@click.option("--dry-run", is_flag=True, help="Show what would change. Write nothing.")
@journal_options
@durable_option
@click.option("--verify", is_flag=True, help="Read the data back; undo the write if it differs.")
@report_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@rows_option
@side_files_option
@json_option
def apply(
    target: Target,
    patch: str,
    dry_run: bool,
    journal: str | None,
    no_journal: bool,
    durable: bool,
    verify: bool,
    report: str | None,
    yes: bool,
    rows: int,
    side_files_anywhere: bool,
    as_json: bool,
) -> int:
    """Write the pointers of a patch file: all of them, or nothing.

    First shows each pointer before and after, and asks. A process goes on meanwhile: if it no
    longer holds what was shown when the answer comes, nothing is written. If the write fails, or on
    Ctrl-C, all of it is undone.

    With --report it writes a page to review before it asks, or at the end of a --dry-run.

    Without a terminal, or with --json, it can't ask: give --yes or --dry-run.
    """
    asks = not (yes or dry_run)
    application = Application(
        target, dry_run, asks, journal, no_journal, durable, verify, report, rows, as_json, patch
    )
    application.check("--yes")
    loaded = load_patch(patch, side_files_anywhere)

    def plan(session: Session) -> Planned:
        return Planned(loaded, loaded.preview(session))

    return application.run(
        sum(map(len, loaded.entries)), plan, show=lambda _: None, fields=lambda _: {}
    )
