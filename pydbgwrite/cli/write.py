"""pydbgwrite write: write pointers into the target, all of them or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import click

from pydbgwrite.cli.change_table import Row, Unexpected, named_rows, show_changes
from pydbgwrite.cli.exit_codes import ExitCode, code_of_kind
from pydbgwrite.cli.kept_journals import how_to_undo, journal_for, journal_options
from pydbgwrite.cli.output import counted, example, print_json, stream_output
from pydbgwrite.cli.parameters import FILE, NumbersCommand, array_file, load_array
from pydbgwrite.cli.patches import preview_rows, rows_option, show_problems, values_fields
from pydbgwrite.cli.preview_warnings import show_warnings, warnings_of
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from array import array

    from pydbgwrite import Preview, Session, Transaction
    from pydbgwrite._journal.place import JournalPlace
    from pydbgwrite._symbols.resolver import Resolver

__all__ = ["write"]

_FORMS = ".npy (numpy, uint64) or .bin (64-bit, little-endian)"


@click.command(
    cls=NumbersCommand,
    epilog=example("pydbgwrite write -p shop 'shop!handlers+8' 'shop!on_close' --dry-run"),
)
@click.argument("address")
@click.argument("values", nargs=-1, metavar="[VALUE]...")
@target_options()
@click.option(
    "--from", "file", type=FILE, metavar="FILE", help=f"Write the pointers of this file: {_FORMS}."
)
@click.option(
    "--expect",
    multiple=True,
    metavar="VALUE",
    help="Write only if the target holds this value: one for all pointers, or one for each.",
)
@click.option(
    "--expect-from",
    "expect_file",
    type=FILE,
    metavar="FILE",
    help="The same, from a file in a form of --from.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change. Write nothing.")
@click.option("--verify", is_flag=True, help="Read the data back; undo the write if it differs.")
@journal_options
@click.option(
    "--truncate", is_flag=True, help="With a 32-bit target: write the low 32 bits of wider values."
)
@rows_option
@json_option
def write(
    target: Target,
    address: str,
    values: tuple[str, ...],
    file: str | None,
    expect: tuple[str, ...],
    expect_file: str | None,
    dry_run: bool,
    verify: bool,
    journal: str | None,
    no_journal: bool,
    truncate: bool,
    rows: int,
    as_json: bool,
) -> int:
    """Write pointers at ADDRESS, and show each before and after.

    ADDRESS and each VALUE are numbers (4096, 0x7f0000001000), module+0x1234, module!symbol,
    module:symbol or symbol, each with or without an offset (+8), or [ADDRESS], the pointer stored
    there. If the write of any of them fails, all are undone.
    """
    pointers = _given("VALUE", values, "--from", file)
    if pointers is None:
        raise click.UsageError("Give one VALUE or more, or --from FILE.")
    expected = _given("--expect", expect, "--expect-from", expect_file)
    from pydbgwrite._symbols.resolver import Resolver

    unexpected = Unexpected(("found", "expected"), wanted_first=False)
    with (
        unexpected.shown(unless=as_json),
        journal_for(journal, no_journal, len(pointers), dry_run=dry_run) as kept,
        target.open(writable=not dry_run) as session,
    ):
        resolver = Resolver(session)
        place = resolver.resolve(address, "ADDRESS")
        new = _numbers(resolver, pointers, "VALUE")
        now = None if expected is None else _numbers(resolver, expected, "--expect")
        if now is not None and len(now) not in (1, len(new)):
            raise click.UsageError(
                f"Expect one value, or one for each of {counted(len(new), 'pointer')}; "
                f"got {len(now):,}."
            )
        if dry_run:
            done = _try(session, place, new, now, truncate, rows)
        else:
            with unexpected.named(session):
                done = _write(session, kept, place, new, now, verify, truncate, rows)
        names = named_rows(session, done.rows)
    if as_json:
        kept_at = None if kept is None else kept.path
        print_json({**_fields(done, names, verify), "journal": kept_at})
    else:
        _show(done, names, verify, how_to_undo(journal, kept))
    if done.preview is None:
        return ExitCode.DONE
    stream_output()  # or the reasons would stand above the table
    show_warnings(done.warnings)
    show_problems(done.preview.problems)
    return code_of_kind(done.preview.kind)


class _Done(NamedTuple):
    """What was written, or would be."""

    address: int
    pointer_size: int
    pointers: int
    rows: list[Row]
    preview: Preview | None = None  # of a dry run
    warnings: Sequence[str] = ()


def _fields(done: _Done, names: dict[int, str], verify: bool) -> dict[str, object]:
    preview = done.preview
    written = done.pointers if preview is None else 0
    before = [row.before for row in done.rows if row.before is not None]
    after = [row.after for row in done.rows if row.after is not None]
    return {
        "address": f"0x{done.address:x}",
        "pointer_size": done.pointer_size,
        "pointers": done.pointers,
        "bytes": done.pointers * done.pointer_size,
        **values_fields(before if before or not after else None, after, names),
        "problem_kind": None if preview is None else preview.kind,
        "problems": [] if preview is None else preview.problems,
        "warnings": list(done.warnings),
        "written": written,
        "verified": verify and preview is None,
    }


def _show(done: _Done, names: dict[int, str], verify: bool, how_to_undo: str) -> None:
    show_changes(done.rows, names, done.pointer_size)
    if done.pointers > len(done.rows):
        more = counted(done.pointers - len(done.rows), "pointer")
        click.echo(f"... and {more} more: --rows shows more")
    what = counted(done.pointers, "pointer")
    if done.preview is not None:
        click.echo(f"{what} at 0x{done.address:x}. Nothing was written.")
    else:
        checked = " and read them back" if verify else ""
        click.echo(f"Wrote {what} at 0x{done.address:x}{checked}.{how_to_undo}")


def _given(
    words: str, values: tuple[str, ...], option: str, file: str | None
) -> tuple[str, ...] | array[int] | None:
    """What was given, by words or as a file; None where neither was."""
    if file is None:
        return values or None
    if values:
        raise click.UsageError(f"Give {words} or {option}, not both.")
    return load_array(array_file(file, option))


def _numbers(
    resolver: Resolver, given: tuple[str, ...] | array[int], what: str
) -> list[int] | array[int]:
    return [resolver.resolve(each, what) for each in given] if isinstance(given, tuple) else given


def _try(
    session: Session,
    address: int,
    pointers: list[int] | array[int],
    expected: list[int] | array[int] | None,
    truncate: bool,
    limit: int,
) -> _Done:
    """Check all that can be checked without a write."""
    from pydbgwrite import Patch, PatchEntry

    if truncate and session.pointer_size == 4:
        pointers = [each & 0xFFFFFFFF for each in pointers]
    expect = expected[0] if expected is not None and len(expected) == 1 else expected
    preview = Patch([PatchEntry(address, pointers, expect=expect)]).preview(session)
    rows = [row._replace(label="") for row in preview_rows(preview, limit)]
    warnings = warnings_of(preview, session)
    return _Done(address, session.pointer_size, len(pointers), rows, preview, warnings)


def _write(
    session: Session,
    journal: JournalPlace | None,
    address: int,
    pointers: list[int] | array[int],
    expected: list[int] | array[int] | None,
    verify: bool,
    truncate: bool,
    limit: int,
) -> _Done:
    from pydbgwrite.cli.undoing import undone_on_failure

    expect = expected[0] if expected is not None and len(expected) == 1 else expected
    with undone_on_failure(session, journal) as transaction, progress_bar("writing") as progress:
        written = session.write_pointers(
            address,
            pointers,
            via="auto",
            verify=verify,
            expect=expect,
            truncate=truncate,
            progress=progress,
        )
        # While it can still be undone: a journal may be lost once it is closed.
        rows = list(islice(_rows(transaction), limit))
    return _Done(address, session.pointer_size, written, rows)


def _rows(transaction: Transaction) -> Iterator[Row]:
    """Yield what the transaction recorded."""
    for change in transaction.changes:
        for at in range(0, len(change.old), change.unit):
            before, after = (
                int.from_bytes(data[at : at + change.unit], "little")
                for data in (change.old, change.new)
            )
            state = "same" if before == after else "change"
            yield Row(change.address + at, before, after, state)
