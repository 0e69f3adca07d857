"""What the commands on patch files share: loading one, and showing what it would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import console, on_terminal, printable

if TYPE_CHECKING:
    from pydbgwrite import Patch, Preview

__all__ = [
    "load_patch",
    "preview_fields",
    "show_preview",
    "side_files_option",
]

#: Rows of a table on a terminal, and pointers in JSON: a patch may have millions.
MOST_SHOWN: Final = 100

side_files_option = click.option(
    "--side-files-anywhere",
    is_flag=True,
    help="Let side files be outside of the patch file's folder.",
)


def load_patch(path: str, side_files_anywhere: bool) -> Patch:
    """The patch; a CommandError where the file can't be read. PatchError tells all its mistakes."""
    from pydbgwrite import Patch

    try:
        return Patch.load(path, side_files_anywhere=side_files_anywhere)
    except OSError as failure:
        raise CommandError(
            f"{path!r} could not be read: {failure.strerror or failure}", ExitCode.BAD_USAGE
        ) from failure


def preview_fields(preview: Preview) -> dict[str, Any]:
    """For --json; of each entry's pointers the first 100."""
    return {
        "ok": preview.ok,
        "pointers": preview.pointers,
        "changed": preview.changed,
        "pointer_size": preview.pointer_size,
        "problem_kind": preview.kind,
        "problems": list(preview.problems),
        "mismatch_total": preview.mismatch_total,
        "entries": [
            {
                "entry": each.number,
                "note": each.entry.note,
                "address": _hex(each.address),
                "count": len(each.entry.pointers),
                "before": _some(each.before),
                "after": _some(each.after),
                "problems": list(each.problems),
            }
            for each in preview.entries
        ],
    }


def _hex(number: int | None) -> str | None:
    return None if number is None else f"0x{number:x}"


def _some(values: Iterable[int] | None) -> list[str] | None:
    return None if values is None else [f"0x{each:x}" for each in islice(values, MOST_SHOWN)]


def _rows(preview: Preview) -> Iterator[tuple[str, str, str, str, str]]:
    """Of each pointer: its address, before, after, how it changes, and what entry it is of."""
    # For people without zeros in front: three columns of pointers are to fit on 80 characters.
    digits = 0 if on_terminal() else 2 * preview.pointer_size
    mask = (1 << 8 * preview.pointer_size) - 1
    for each in preview.entries:
        label = f"{each.number}"
        if isinstance(each.entry.address, str):
            label += f" {each.entry.address}"
        if each.entry.note:
            label += f": {each.entry.note}"
        for index in range(len(each.entry.pointers)):
            where, before, after = "?", "?", "?"
            if each.address is not None:
                where = f"0x{each.address + index * preview.pointer_size:0{digits}x}"
            old = new = None
            if each.before is not None:
                old = each.before[index]
                before = f"0x{old:0{digits}x}"
            if each.after is not None:
                new = each.after[index] & mask
                after = f"0x{new:0{digits}x}"
            state = "same" if old == new and old is not None else "change"
            if each.problems:
                state = "problem"
            yield where, before, after, state, label if index == 0 else ""


_STYLES: Final = {"same": "dim", "change": "", "problem": "yellow"}


def show_preview(preview: Preview) -> None:
    """The before/after table: coloured on a terminal, a line for each pointer elsewhere."""
    if not on_terminal():
        for where, before, after, state, label in _rows(preview):
            line = f"{where}  {before} -> {after}  {state:7}  {printable(label)}"
            click.echo(line.rstrip())
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, style in (("address", "cyan"), ("before", "red"), ("after", "green")):
        table.add_column(name, style=style, justify="right", no_wrap=True)
    table.add_column("entry", overflow="fold")
    for where, before, after, state, label in islice(_rows(preview), MOST_SHOWN):
        table.add_row(
            Text(where), Text(before), Text(after), Text(printable(label)), style=_STYLES[state]
        )
    console().print(table)
    if preview.pointers > MOST_SHOWN:
        click.echo(f"... and {preview.pointers - MOST_SHOWN:,} more: a pipe or file gets them all")
