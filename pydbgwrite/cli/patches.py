"""Common parts of the commands on patch files: load one, and show what it would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import console, counted, fail, on_terminal, printable
from pydbgwrite.cli.parameters import COUNT

if TYPE_CHECKING:
    from pydbgwrite import Patch, Preview

__all__ = [
    "load_patch",
    "preview_fields",
    "rows_option",
    "show_preview",
    "show_problems",
    "side_files_option",
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


def preview_fields(preview: Preview, rows: int) -> dict[str, Any]:
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
        "entries": list(_entries(preview, rows)),
    }


def _entries(preview: Preview, rows: int) -> Iterator[dict[str, Any]]:
    mask = (1 << 8 * preview.pointer_size) - 1

    def first(values: Sequence[int] | None) -> list[str] | None:
        return None if values is None else [f"0x{each & mask:x}" for each in values[:rows]]

    for each in preview.entries:
        if rows <= 0:
            return
        yield {
            "entry": each.number,
            "note": each.entry.note,
            "address": None if each.address is None else f"0x{each.address:x}",
            "count": len(each.entry.pointers),
            "before": first(each.before),
            "after": first(each.after),
            "problems": list(each.problems),
        }
        rows -= len(each.entry.pointers)


def show_problems(problems: Sequence[str]) -> None:
    """Print the problems of a patch on stderr."""
    for problem in problems[:MOST_PROBLEMS]:
        fail(problem)
    if len(problems) > MOST_PROBLEMS:
        fail(f"and {counted(len(problems) - MOST_PROBLEMS, 'problem')} more")


def _table(preview: Preview) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield each pointer's address, value before and after, change, and entry."""
    # For people without zeros in front: three columns of pointers are to fit on 80 characters.
    digits = 0 if on_terminal() else 2 * preview.pointer_size
    mask = (1 << 8 * preview.pointer_size) - 1

    def shown(values: Sequence[int] | None, index: int) -> str:
        return "?" if values is None else f"0x{values[index] & mask:0{digits}x}"

    for each in preview.entries:
        label = f"{each.number}"
        if isinstance(each.entry.address, str):
            label += f" {each.entry.address}"
        if each.entry.note:
            label += f": {each.entry.note}"
        before, after = each.before, each.after
        for index in range(len(each.entry.pointers)):
            where = "?"
            if each.address is not None:
                where = f"0x{each.address + index * preview.pointer_size:0{digits}x}"
            old, new = shown(before, index), shown(after, index)
            state = "problem" if each.problems else "same" if old == new else "change"
            yield where, old, new, state, "" if index else label


_STYLES: Final = {"same": "dim", "change": "", "problem": "yellow"}


def show_preview(preview: Preview, rows: int) -> None:
    """Print the before/after table: coloured on a terminal, a line for each pointer elsewhere."""
    shown = islice(_table(preview), rows)
    if on_terminal():
        _show_coloured(shown)
    else:
        for where, before, after, state, label in shown:
            line = f"{where}  {before} -> {after}  {state:7}  {printable(label)}"
            click.echo(line.rstrip())
    if preview.pointers > rows:
        click.echo(f"... and {counted(preview.pointers - rows, 'pointer')} more: --rows shows more")


def _show_coloured(rows: Iterable[tuple[str, str, str, str, str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, style in (("address", "cyan"), ("before", "red"), ("after", "green")):
        table.add_column(name, style=style, justify="right", no_wrap=True)
    table.add_column("entry", overflow="fold")
    for where, before, after, state, label in rows:
        table.add_row(
            Text(where), Text(before), Text(after), Text(printable(label)), style=_STYLES[state]
        )
    console().print(table)
