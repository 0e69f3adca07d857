"""Common parts of the commands on patch files: load one, and show what it would change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.change_table import Row, show_changes
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import counted, fail
from pydbgwrite.cli.parameters import COUNT, FILE

if TYPE_CHECKING:
    from pydbgwrite import Patch, Preview

__all__ = [
    "durable_option",
    "load_patch",
    "preview_fields",
    "preview_rows",
    "report_option",
    "rows_option",
    "show_preview",
    "show_problems",
    "side_files_option",
    "values_fields",
    "write_report",
]

#: A patch may have millions of pointers, and as many problems.
ROWS: Final = 100
MOST_PROBLEMS: Final = 100

rows_option = click.option(
    "--rows",
    type=COUNT,
    default=ROWS,
    show_default=True,
    metavar="N",
    help="Show at most N pointers.",
)

report_option = click.option(
    "--report",
    type=FILE,
    metavar="FILE",
    help="Write a page to review, with each pointer by name. It holds memory: only you can read "
    "it.",
)

durable_option = click.option(
    "--durable", is_flag=True, help="Sync each record of the journal to the disk before its write."
)

side_files_option = click.option(
    "--side-files-anywhere",
    is_flag=True,
    help="Allow side files outside the patch file's folder.",
)


def load_patch(path: str, side_files_anywhere: bool) -> Patch:
    """Load a patch. CommandError if the file can't be read; PatchError lists all its mistakes."""
    from pydbgwrite import Patch

    try:
        return Patch.load(path, side_files_anywhere=side_files_anywhere)
    except not_from_handler(OSError) as failure:
        raise CommandError(
            f"{path!r} could not be read: {failure.strerror or failure}", ExitCode.BAD_USAGE
        ) from failure


def preview_fields(preview: Preview, rows: int, names: Mapping[int, str]) -> dict[str, Any]:
    """Return the fields for --json: the totals, and the entries of the first `rows` pointers."""
    return {
        "ok": preview.ok,
        "pointers": preview.pointers,
        "changed": preview.changed,
        "pointer_size": preview.pointer_size,
        "problem_kind": preview.kind,
        "problem_total": len(preview.problems),
        "problems": preview.problems[:MOST_PROBLEMS],
        "mismatch_total": preview.mismatch_total,
        "entry_total": len(preview.entries),
        "entries": list(_entries(preview, rows, names)),
    }


def _entries(preview: Preview, rows: int, names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    mask = (1 << 8 * preview.pointer_size) - 1
    for each in preview.entries:
        if rows <= 0:
            return
        before, after = (
            None if values is None else [value & mask for value in values[:rows]]
            for values in (each.before, each.after)
        )
        yield {
            "entry": each.number,
            "note": each.entry.note,
            "address": None if each.address is None else f"0x{each.address:x}",
            "addresses": None
            if each._addresses is None
            else [f"0x{address:x}" for address in each._addresses[:rows]],
            "count": len(each.entry),
            **values_fields(before, after, names),
            "problems": list(each.problems),
        }
        rows -= len(each.entry)


def values_fields(
    before: Sequence[int] | None, after: Sequence[int] | None, names: Mapping[int, str]
) -> dict[str, Any]:
    """Return the fields of pointers before and after, and of what they point to by name."""
    both = {"before": before, "after": after}
    return {
        **{
            key: None if values is None else [f"0x{value:x}" for value in values]
            for key, values in both.items()
        },
        **{
            f"{key}_names": None if values is None else [names.get(value) for value in values]
            for key, values in both.items()
        },
    }


def write_report(path: str, page: str, patch: str | None) -> None:
    """Write the page of a preview. CommandError if that fails; UsageError for the patch's file.

    page: its HTML. patch: the patch's file, if it has one.
    """
    from pydbgwrite._report.files import write_private

    try:
        if patch is not None and os.path.exists(path) and os.path.samefile(path, patch):
            raise click.UsageError("--report names the patch file, which it would replace.")
        write_private(path, page)
    except not_from_handler(OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or failure
        raise CommandError(
            f"the report {path!r} could not be written: {reason}; nothing was written to the "
            "target",
            ExitCode.BAD_USAGE,
        ) from failure


def show_problems(problems: Sequence[str]) -> None:
    """Print the problems of a patch on stderr."""
    for problem in problems[:MOST_PROBLEMS]:
        fail(problem)
    if len(problems) > MOST_PROBLEMS:
        fail(f"and {counted(len(problems) - MOST_PROBLEMS, 'problem')} more")


def preview_rows(preview: Preview, limit: int) -> list[Row]:
    """Return the first rows of the table."""
    return list(islice(_rows(preview), limit))


def _rows(preview: Preview) -> Iterator[Row]:
    from pydbgwrite import ScatteredEntry
    from pydbgwrite._report.grouping import DIFFERS, rows_of
    from pydbgwrite._report.model import STATES

    for each in preview.entries:
        label = f"{each.number}"
        place = each.entry.base if isinstance(each.entry, ScatteredEntry) else each.entry.address
        if isinstance(place, str):
            label += f" {place}"
        if each.entry.note:
            label += f": {each.entry.note}"
        for row in rows_of(each, preview.pointer_size):
            found = STATES[row.state]
            state = "problem" if found.bad else "same" if found.word == "same" else "change"
            expected = row.expected if row.state == DIFFERS else None
            yield Row(row.address, row.before, row.after, state, label, expected)
            label = ""


def show_preview(preview: Preview, rows: Sequence[Row], names: Mapping[int, str]) -> None:
    """Print the table of what the patch changes."""
    show_changes(rows, names, preview.pointer_size)
    if preview.pointers > len(rows):
        more = counted(preview.pointers - len(rows), "pointer")
        click.echo(f"... and {more} more: --rows shows more")
