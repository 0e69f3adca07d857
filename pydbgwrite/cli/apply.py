"""pydbgwrite apply: preview a patch file, then write all of it or nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.change_table import Row, named_rows
from pydbgwrite.cli.exit_codes import CommandError, ExitCode, code_of_kind
from pydbgwrite.cli.output import (
    counted,
    example,
    fail,
    print_json,
    printable,
    show_on_stderr,
    stream_output,
)
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

__all__ = ["apply"]


@click.command(epilog=example("pydbgwrite apply -p shop patch.toml --journal patch.journal"))
@click.argument("patch", type=FILE, metavar="PATCH.toml")
@target_options()
@click.option("--dry-run", is_flag=True, help="Show what would change. Write nothing.")
@click.option(
    "--journal",
    type=FILE,
    metavar="FILE",
    help="Record the old values in a new file, for `pydbgwrite undo`, even after a crash.",
)
@click.option(
    "--durable", is_flag=True, help="With --journal: sync each record to the disk before its write."
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
    if durable and journal is None:
        raise click.UsageError("--durable needs --journal.")
    if not (yes or dry_run) and (as_json or not _can_ask()):
        raise click.UsageError(
            "It can't ask without a terminal, or with --json: give --yes to write, or --dry-run to "
            "see what would change."
        )
    loaded = load_patch(patch, side_files_anywhere)
    # A process goes on while somebody reads and answers. Other targets stay as they are.
    lets_go = target.kind == "pid" and not (yes or dry_run)
    written: int | None = None
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
            written = _apply(loaded, session, journal, durable, verify)
        process = Reopened.of(target, session) if lets_go else None
    if process is not None and shown.preview.ok:
        _ask(shown)
        with process.open() as session:
            written = _apply(loaded, session, journal, durable, verify, expect=shown.preview)
    if as_json:
        print_json(
            {
                **preview_fields(shown.preview, rows, shown.names),
                "written": written or 0,
                "verified": verify and written is not None,
                "journal": None if written is None else journal,
            }
        )
    if written is None:
        return _not_written(shown.preview, as_json)
    if not as_json:
        click.echo(
            f"Wrote {counted(written, 'pointer')}{' and read them back' if verify else ''}."
            + (f" To undo it: pydbgwrite undo {printable(journal)}" if journal else "")
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


def _can_ask() -> bool:
    """Return whether a user at a terminal can see a question and answer it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _ask(shown: _Shown) -> None:
    """Ask, and return if the answer is yes; a CommandError otherwise."""
    stream_output()  # or the table would come after the question
    if sys.stdout is not None:
        sys.stdout.flush()
    preview = shown.preview
    question = (
        f"Write {counted(preview.pointers, 'pointer')}, {preview.changed:,} of them to change, to "
        f"{printable(shown.program)}? [y/N] "
    )
    show_on_stderr(lambda: click.echo(question, nl=False, err=True))
    try:
        answer = sys.stdin.readline()
    except not_from_handler(OSError, UnicodeDecodeError):
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        if not answer.endswith("\n"):
            show_on_stderr(lambda: click.echo(err=True))
        raise CommandError("not confirmed; nothing was written", ExitCode.INTERRUPTED)


def _apply(
    patch: Patch,
    session: Session,
    journal: str | None,
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
