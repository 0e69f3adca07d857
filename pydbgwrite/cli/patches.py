"""Common parts of the commands on patch files: load one, and show what it would change."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.change_table import Row, show_changes
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import counted, fail
from pydbgwrite.cli.parameters import COUNT, FILE

if TYPE_CHECKING:
    from pydbgwrite import Patch, Preview, PreviewEntry

__all__ = [
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
            "count": len(each.entry.pointers),
            **values_fields(before, after, names),
            "problems": list(each.problems),
        }
        rows -= len(each.entry.pointers)


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


def write_report(path: str, preview: Preview, patch: str) -> None:
    """Write the page of a preview. CommandError if that fails; UsageError for the patch's file."""
    from pydbgwrite._report.files import write_private

    try:
        if os.path.exists(path) and os.path.samefile(path, patch):
            raise click.UsageError("--report names the patch file, which it would replace.")
        write_private(path, preview.to_html())
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
    mask = (1 << 8 * preview.pointer_size) - 1
    for each in preview.entries:
        label = f"{each.number}"
        if isinstance(each.entry.address, str):
            label += f" {each.entry.address}"
        if each.entry.note:
            label += f": {each.entry.note}"
        before, after = each.before, each.after
        bad = _bad_rows(each, mask)
        for index in range(len(each.entry.pointers)):
            where = None if each.address is None else each.address + index * preview.pointer_size
            old, new = (
                None if values is None else values[index] & mask for values in (before, after)
            )
            state = "problem" if index in bad else "same" if old == new else "change"
            yield Row(where, old, new, state, "" if index else label)


def _bad_rows(each: PreviewEntry, mask: int) -> Container[int]:
    """Return the pointers of an entry that its problems are about: unexpected ones, or all."""
    everything = range(len(each.entry.pointers))
    if not each.problems or each.before is None or each.expected is None:
        return everything if each.problems else ()
    expected, before = each.expected, each.before
    bad = {
        at
        for at in everything
        if before[at] != mask & (expected if isinstance(expected, int) else expected[at])
    }
    # All of these make one problem. Others are about the whole entry.
    return bad if bad and len(each.problems) == 1 else everything


def show_preview(preview: Preview, rows: Sequence[Row], names: Mapping[int, str]) -> None:
    """Print the table of what the patch changes."""
    show_changes(rows, names, preview.pointer_size)
    if preview.pointers > len(rows):
        more = counted(preview.pointers - len(rows), "pointer")
        click.echo(f"... and {more} more: --rows shows more")
