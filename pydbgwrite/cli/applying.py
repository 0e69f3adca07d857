"""What apply and retarget share: show a patch, ask, and write all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pydbgwrite.cli.asking import ask, can_ask
from pydbgwrite.cli.change_table import Unexpected, named_rows
from pydbgwrite.cli.exit_codes import ExitCode, code_of_kind
from pydbgwrite.cli.kept_journals import how_to_undo, journal_for, make_room
from pydbgwrite.cli.output import counted, fail, print_json, printable, stream_output
from pydbgwrite.cli.patches import (
    preview_fields,
    preview_rows,
    show_preview,
    show_problems,
    write_report,
)
from pydbgwrite.cli.preview_warnings import show_warnings, warnings_of
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.reopening import Reopened, described

if TYPE_CHECKING:
    from pydbgwrite import Found, Patch, Preview, Session
    from pydbgwrite._journal.place import JournalPlace
    from pydbgwrite.cli.targets import Target

__all__ = ["Application", "Planned"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a command would write. patch: None if that is nothing. found: what it searched for."""

    patch: Patch | None
    preview: Preview
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """The options of a command that writes a patch.

    asks: whether it asks before it writes. patch_file: the file of the patch, which a report must
    not replace.
    """

    target: Target
    dry_run: bool
    asks: bool
    journal: str | None
    no_journal: bool
    durable: bool
    verify: bool
    report: str | None
    rows: int
    as_json: bool
    patch_file: str | None = None

    def check(self, answer: str) -> None:
        """Raise a UsageError for options that do not fit. answer: the option that is a yes."""
        if self.durable and self.no_journal:
            raise click.UsageError("--durable is for a journal: leave out --no-journal.")
        if self.asks and (self.as_json or not can_ask()):
            raise click.UsageError(
                f"It can't ask without a terminal, or with --json: give {answer} to write, or "
                "--dry-run to see what would change."
            )

    def run(
        self,
        pointers: int | None,
        plan: Callable[[Session], Planned],
        show: Callable[[Planned], None],
        fields: Callable[[Planned], dict[str, Any]],
    ) -> int:
        """Show the plan, and write it; return the exit code.

        Args:
            pointers: How many it will write: for the journal. None if the plan says so.
            plan: Makes the plan, with the session open.
            show: Prints more of it, below the table, with the session closed if it is let go.
            fields: Returns more fields for --json.
        """
        # A process goes on while somebody reads and answers. Other targets stay as they are.
        lets_go = self.target.kind == "pid" and self.asks
        written: int | None = None
        with journal_for(self.journal, self.no_journal, pointers, dry_run=self.dry_run) as place:
            with self.target.open(writable=not (self.dry_run or lets_go)) as session:
                planned = plan(session)
                shown = _Shown(planned.preview, session, self.rows)
                writes = planned.patch if shown.preview.ok and not self.dry_run else None
                if self.report is not None:
                    write_report(self.report, shown.preview.to_html(), self.patch_file)
                if not self.as_json:
                    shown.show()
                    show(planned)
                    if self.report is not None:
                        click.echo(f"The report to review is {printable(self.report)}.")
                if writes is not None and pointers is None:
                    make_room(place, shown.preview.pointers)
                if writes is not None and not lets_go:
                    if self.asks:
                        _ask(shown)
                    written = self._apply(writes, session, place)
                process = Reopened.of(self.target, session) if lets_go else None
            if process is not None and writes is not None:
                _ask(shown)
                written = self._apply_as_shown(process, writes, shown.preview, place)
        if self.as_json:
            print_json(
                {
                    **preview_fields(shown.preview, self.rows, shown.names),
                    **fields(planned),
                    "warnings": shown.warnings,
                    "written": written or 0,
                    "verified": self.verify and written is not None,
                    "journal": None if written is None or place is None else place.path,
                }
            )
        if written is None:
            return _not_written(shown, self.as_json)
        if not self.as_json:
            verified = " and read them back" if self.verify else ""
            click.echo(
                f"Wrote {counted(written, 'pointer')}{verified}." + how_to_undo(self.journal, place)
            )
        return ExitCode.DONE

    def _apply_as_shown(
        self, process: Reopened, patch: Patch, preview: Preview, journal: JournalPlace | None
    ) -> int:
        """Apply to the process that was shown; show the first places that it has changed since."""
        changed = Unexpected(("shown", "found now"), wanted_first=True)
        with changed.shown(), process.open() as session, changed.named(session):
            return self._apply(patch, session, journal, expect=preview)

    def _apply(
        self,
        patch: Patch,
        session: Session,
        journal: JournalPlace | None,
        expect: Preview | None = None,
    ) -> int:
        from pydbgwrite.cli.undoing import ended

        try:
            with progress_bar("writing") as progress:
                return patch.apply(
                    session,
                    expect=expect,
                    journal=journal,
                    durable=True if self.durable else None,
                    verify=self.verify,
                    progress=progress,
                )
        except (Exception, KeyboardInterrupt) as failure:
            raise ended(failure, journal) from failure


class _Shown:
    """A preview with the first rows of its table, which needs no open session."""

    def __init__(self, preview: Preview, session: Session, limit: int) -> None:
        self.preview = preview
        self._rows = preview_rows(preview, limit)
        self.names = named_rows(session, self._rows)
        self.program = described(session)
        self.warnings = warnings_of(preview, session)

    def show(self) -> None:
        """Print the table."""
        show_preview(self.preview, self._rows, self.names)


def _not_written(shown: _Shown, as_json: bool) -> int:
    """Report a dry run, or problems that prevent the write; return the exit code."""
    preview = shown.preview
    if preview.ok and not as_json:
        click.echo(
            f"{counted(preview.pointers, 'pointer')}, {preview.changed:,} of them to change. "
            "Nothing was written."
        )
    stream_output()  # or the reasons would stand above the table
    show_warnings(shown.warnings)
    show_problems(preview.problems)
    if not preview.ok:
        applied = preview.kind == "expect" and not preview.changed
        held = "; the target already holds what the patch writes" if applied else ""
        fail(f"nothing was written{held}")
    return code_of_kind(preview.kind)


def _ask(shown: _Shown) -> None:
    """Ask, and return if the answer is yes; a CommandError otherwise."""
    preview = shown.preview
    stream_output()  # or the warnings would stand above the table
    show_warnings(shown.warnings)
    ask(
        f"Write {counted(preview.pointers, 'pointer')}, {preview.changed:,} of them to change, to "
        f"{shown.program}?",
        "not confirmed; nothing was written",
    )
