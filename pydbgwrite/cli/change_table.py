"""A table of pointers before and after a write, with the names of what they point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from pydbgwrite.cli.output import console, on_terminal, printable

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["Row", "named_rows", "show_changes"]


class Row(NamedTuple):
    """One pointer; None for what is not known.

    state: "change", "same" or "problem". label: the entry that it belongs to.
    """

    address: int | None
    before: int | None
    after: int | None
    state: str
    label: str = ""


#: A problem is to be seen without colours, too.
_SIGNS: Final = {"same": "=", "change": "", "problem": "!"}
_STYLES: Final = {"same": "dim", "change": "", "problem": "yellow"}


def named_rows(session: Session, rows: Iterable[Row]) -> dict[int, str]:
    """Return the names of what the pointers of these rows point to, by address."""
    from pydbgwrite.cli.places import named_values

    pointers = (value for row in rows for value in (row.before, row.after))
    return named_values(session, (value for value in pointers if value is not None))


def show_changes(
    rows: Sequence[Row],
    names: Mapping[int, str],
    pointer_size: int,
    columns: tuple[str, str] = ("before", "after"),
) -> None:
    """Print a row for each pointer: a table on a terminal, a line elsewhere.

    columns: the heads of the two columns of pointers.
    """
    if on_terminal():
        _show_table(rows, names, columns)
        return
    digits = 2 * pointer_size
    for row in rows:
        where, before, after = (_number(each, digits) for each in row[:3])
        line = f"{where}  {before} -> {after}  {row.state:7}"
        if row.label:
            line += f"  {printable(row.label)}"
        old, new = (names.get(-1 if each is None else each) for each in row[1:3])
        if old is not None or new is not None:
            line += f"  {printable(old or '-')} -> {printable(new or '-')}"
        click.echo(line.rstrip())


def _number(value: int | None, digits: int = 0) -> str:
    return "?" if value is None else f"0x{value:0{digits}x}"


def _show_table(rows: Sequence[Row], names: Mapping[int, str], columns: tuple[str, str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    def cell(value: int | None) -> Text:
        name = None if value is None else names.get(value)
        return Text(_number(value) + (f" {printable(name)}" if name is not None else ""))

    def wide(column: int) -> int:
        return max((len(_number(row[column])) for row in rows), default=0)  # type: ignore[arg-type]

    signs = any(_SIGNS[row.state] for row in rows)
    labels = any(row.label for row in rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if signs:
        table.add_column("", no_wrap=True)
    # Without zeros in front: the numbers are to fit on 80 characters, and names below them.
    table.add_column("address", style="cyan", no_wrap=True)
    for index, style in ((1, "red"), (2, "green")):
        head = columns[index - 1]
        table.add_column(head, style=style, overflow="fold", min_width=wide(index))
    if labels:
        table.add_column("entry", overflow="fold")
    for row in rows:
        cells = [Text(_number(row.address)), cell(row.before), cell(row.after)]
        if signs:
            cells.insert(0, Text(_SIGNS[row.state]))
        if labels:
            cells.append(Text(printable(row.label)))
        table.add_row(*cells, style=_STYLES[row.state])
    console().print(table)
