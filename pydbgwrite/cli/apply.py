"""pydbgwrite apply: preview a patch file, then write all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pydbgwrite.cli.asking import ask, can_ask
from pydbgwrite.cli.change_table import Row, Unexpected, named_rows
from pydbgwrite.cli.exit_codes import ExitCode, code_of_kind
from pydbgwrite.cli.kept_journals import how_to_undo, journal_for, journal_options
from pydbgwrite.cli.output import counted, example, fail, print_json, printable, stream_output
from pydbgwrite.cli.parameters import FILE
from pydbgwrite.cli.patches import (
    load_patch,
    preview_fields,
    preview_rows,
    report_option,
    rows_option,
    show_preview,
    show_problems,
    side_files_option,
    write_report,
)
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.reopening import Reopened, described
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import Patch, Preview, Session
    from pydbgwrite._journal.place import JournalPlace

__all__ = ["apply"]


@click.command(epilog=example("pydbgwrite apply -p shop patch.toml"))
@click.argument("patch", type=FILE, metavar="PATCH.toml")
@target_options()
@click.option("--dry-run", is_flag=True, help="Show what would change. Write nothing.")
@journal_options
@click.option(
    "--durable", is_flag=True, help="Sync each record of the journal to the disk before its write."
)
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
    if durable and no_journal:
        raise click.UsageError("--durable is for a journal: leave out --no-journal.")
    if not (yes or dry_run) and (as_json or not can_ask()):
        raise click.UsageError(
            "It can't ask without a terminal, or with --json: give --yes to write, or --dry-run to "
            "see what would change."
        )
    loaded = load_patch(patch, side_files_anywhere)
    # A process goes on while somebody reads and answers. Other targets stay as they are.
    lets_go = target.kind == "pid" and not (yes or dry_run)
    written: int | None = None
    pointers = sum(len(each.pointers) for each in loaded.entries)
    with journal_for(journal, no_journal, pointers, dry_run=dry_run) as place:
        with target.open(writable=not (dry_run or lets_go)) as session:
            shown = _Shown.of(loaded.preview(session), session, rows)
            if report is not None:
                write_report(report, shown.preview, patch)
            if not as_json:
                shown.show()
                if report is not None:
                    click.echo(f"The report to review is {printable(report)}.")
            if shown.preview.ok and not dry_run and not lets_go:
                if not yes:
                    _ask(shown)
                written = _apply(loaded, session, place, durable, verify)
            process = Reopened.of(target, session) if lets_go else None
        if process is not None and shown.preview.ok:
            _ask(shown)
            written = _apply_as_shown(process, loaded, shown.preview, place, durable, verify)
    if as_json:
        print_json(
            {
                **preview_fields(shown.preview, rows, shown.names),
                "written": written or 0,
                "verified": verify and written is not None,
                "journal": None if written is None or place is None else place.path,
            }
        )
    if written is None:
        return _not_written(shown.preview, as_json)
    if not as_json:
        click.echo(
            f"Wrote {counted(written, 'pointer')}{' and read them back' if verify else ''}."
            + how_to_undo(journal, place)
        )
    return ExitCode.DONE


class _Shown:
    """A preview with the first rows of its table, which needs no open session."""

    def __init__(
        self, preview: Preview, rows: list[Row], names: dict[int, str], program: str
    ) -> None:
        self.preview = preview
        self.names = names
        self.program = program
        self._rows = rows

    @classmethod
    def of(cls, preview: Preview, session: Session, limit: int) -> _Shown:
        rows = preview_rows(preview, limit)
        return cls(preview, rows, named_rows(session, rows), described(session))

    def show(self) -> None:
        """Print the table."""
        show_preview(self.preview, self._rows, self.names)


def _not_written(preview: Preview, as_json: bool) -> int:
    """Report a dry run, or problems that prevent the write; return the exit code."""
    if preview.ok and not as_json:
        click.echo(
            f"{counted(preview.pointers, 'pointer')}, {preview.changed:,} of them to change. "
            "Nothing was written."
        )
    stream_output()  # or the reasons would stand above the table
    show_problems(preview.problems)
    if not preview.ok:
        fail("nothing was written")
    return code_of_kind(preview.kind)


def _ask(shown: _Shown) -> None:
    """Ask, and return if the answer is yes; a CommandError otherwise."""
    preview = shown.preview
    ask(
        f"Write {counted(preview.pointers, 'pointer')}, {preview.changed:,} of them to change, to "
        f"{shown.program}?",
        "not confirmed; nothing was written",
    )


def _apply_as_shown(
    process: Reopened,
    patch: Patch,
    preview: Preview,
    journal: JournalPlace | None,
    durable: bool,
    verify: bool,
) -> int:
    """Apply to the process that was shown; show the first places that it has changed since."""
    changed = Unexpected(("shown", "found now"), wanted_first=True)
    with changed.shown(), process.open() as session, changed.named(session):
        return _apply(patch, session, journal, durable, verify, expect=preview)


def _apply(
    patch: Patch,
    session: Session,
    journal: JournalPlace | None,
    durable: bool,
    verify: bool,
    expect: Preview | None = None,
) -> int:
    from pydbgwrite.cli.undoing import ended

    try:
        with progress_bar("writing") as progress:
            return patch.apply(
                session,
                expect=expect,
                journal=journal,
                durable=True if durable else None,
                verify=verify,
                progress=progress,
            )
    except (Exception, KeyboardInterrupt) as failure:
        raise ended(failure, journal) from failure
