"""A table of pointers before and after a write, with the names of what they point to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.output import console, counted, on_terminal, printable
from pydbgwrite.errors import ExpectationError

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["Row", "Unexpected", "named_rows", "show_changes", "show_places"]


class Row(NamedTuple):
    """One pointer; None for what is not known.

    state: "change", "same" or "problem". label: the entry that it belongs to. expected: what
    should be there before the write, if something else is.
    """

    address: int | None
    before: int | None
    after: int | None
    state: str
    label: str = ""
    expected: int | None = None


#: The heads of the columns of a change.
_CHANGE: Final = ("before", "after")


#: A problem is to be seen without colours, too.
_SIGNS: Final = {"same": "=", "change": "", "problem": "!"}
_STYLES: Final = {"same": "dim", "change": "", "problem": "yellow"}


def named_rows(session: Session, rows: Iterable[Row]) -> dict[int, str]:
    """Return the names of what the pointers of these rows point to, by address."""
    from pydbgwrite.cli.places import named_values

    pointers = (value for row in rows for value in (row.before, row.after, row.expected))
    return named_values(session, (value for value in pointers if value is not None))


def show_changes(
    rows: Sequence[Row],
    names: Mapping[int, str],
    pointer_size: int,
    columns: tuple[str, str] = _CHANGE,
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
        parts = [where, _pair(columns, before, after), f"{row.state:7}"]
        if row.expected is not None:
            name = names.get(row.expected)
            parts.append(f"expected {_number(row.expected, digits)}{f' {name}' if name else ''}")
        if row.label:
            parts.append(row.label)
        old, new = (names.get(-1 if each is None else each) for each in row[1:3])
        if old is not None or new is not None:
            parts.append(_pair(columns, old or "-", new or "-"))
        click.echo(printable("  ".join(parts)).rstrip())


def show_places(
    rows: Sequence[Row],
    total: int,
    names: Mapping[int, str],
    pointer_size: int,
    columns: tuple[str, str],
) -> None:
    """Print the first of `total` places that do not hold what they should."""
    show_changes(rows, names, pointer_size, columns)
    if total > len(rows):
        click.echo(f"... and {counted(total - len(rows), 'place')} more")


class Unexpected:
    """The places of an ExpectationError, named while the session is open, shown when it is closed.

    Whoever reads a table in a pager must not hold the target.
    """

    def __init__(self, columns: tuple[str, str], *, wanted_first: bool) -> None:
        self._columns = columns
        self._wanted_first = wanted_first
        self._rows: list[Row] = []
        self._names: dict[int, str] = {}
        self._pointer_size = 8

    @contextmanager
    def named(self, session: Session) -> Iterator[None]:
        """Keep the places of an error that the block raises, with their names."""
        try:
            yield
        except not_from_handler(ExpectationError) as failure:
            self._pointer_size = session.pointer_size
            for address, wanted, found in failure.mismatches:
                pair = (wanted, found) if self._wanted_first else (found, wanted)
                self._rows.append(Row(address, *pair, "problem"))
            self._names = named_rows(session, self._rows)
            raise

    @contextmanager
    def shown(self, *, unless: bool = False) -> Iterator[None]:
        """Print what was kept if the block raises the error."""
        try:
            yield
        except not_from_handler(ExpectationError) as failure:
            if not unless:
                size = self._pointer_size
                show_places(self._rows, failure.total, self._names, size, self._columns)
            raise


def _pair(columns: tuple[str, str], one: str, other: str) -> str:
    """Return both for a line. An arrow stands for a change alone."""
    if columns == _CHANGE:
        return f"{one} -> {other}"
    return f"{columns[0]} {one}  {columns[1]} {other}"


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
    expectations = any(row.expected is not None for row in rows)
    labels = any(row.label for row in rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if signs:
        table.add_column("", no_wrap=True)
    # Without zeros in front: the numbers are to fit on 80 characters, and names below them.
    table.add_column("address", style="cyan", no_wrap=True)
    for index, style in ((1, "red"), (2, "green")):
        head = columns[index - 1]
        table.add_column(head, style=style, overflow="fold", min_width=wide(index))
    if expectations:
        table.add_column("expected", overflow="fold", min_width=wide(5))
    if labels:
        table.add_column("entry", overflow="fold")
    for row in rows:
        cells = [Text(_number(row.address)), cell(row.before), cell(row.after)]
        if signs:
            cells.insert(0, Text(_SIGNS[row.state]))
        if expectations:
            cells.append(Text() if row.expected is None else cell(row.expected))
        if labels:
            cells.append(Text(printable(row.label)))
        table.add_row(*cells, style=_STYLES[row.state])
    console().print(table)
