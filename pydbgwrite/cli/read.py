"""pydbgwrite read: show pointers of the target, and what they point to."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.error_fields import error_fields
from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.output import (
    counted,
    example,
    fail,
    on_terminal,
    print_json,
    print_json_rows,
    print_lines,
    print_table,
    printable,
    stream_output,
)
from pydbgwrite.cli.parameters import COUNT, FILE, NumbersCommand, array_file, save_array
from pydbgwrite.cli.places import Protections, names_of, protections_of
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.targets import Target, json_option, target_options
from pydbgwrite.errors import TargetAccessError

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["read"]

#: Rows of a table on a terminal, where nothing else is asked for: more would only scroll away.
_ROWS_ON_TERMINAL: Final = 100


class _Table(NamedTuple):
    """The pointers that were read, with all that is needed to show them after the session."""

    address: int
    size: int  # of a pointer, in bytes
    asked: int
    values: array[int]
    names: list[str | None]
    protections: Protections
    failure: TargetAccessError | None  # why these are fewer than were asked for

    def rows(self, limit: int | None) -> Iterator[tuple[int, int, str | None, str | None]]:
        """Yield address, value, protection and name of the first pointers."""
        for index, value in enumerate(islice(self.values, limit)):
            address = self.address + index * self.size
            yield address, value, self.protections.at(value), self.names[index]


@click.command(cls=NumbersCommand, epilog=example("pydbgwrite read -p shop 'shop!handlers' 16"))
@click.argument("address")
@click.argument("count", type=COUNT, default=1)
@target_options()
@click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    help="Save to .npy (numpy, uint64) or .bin (64-bit, little-endian). Replaces the file.",
)
@click.option(
    "--rows",
    type=COUNT,
    metavar="N",
    help=f"Show at most N. Default: {_ROWS_ON_TERMINAL} on a terminal, else all.",
)
@json_option
def read(
    target: Target, address: str, count: int, out: str | None, rows: int | None, as_json: bool
) -> int:
    """Show COUNT pointers at ADDRESS, and what each points to.

    ADDRESS is a number (4096, 0x7f0000001000), module+0x1234, module!symbol, module:symbol or
    symbol, each with or without an offset (+8), or [ADDRESS], the pointer stored there.

    If the output is not a terminal, prints one line for each pointer: its address, its value, the
    page protection where it points to (rw, rx, ...), and the name of that place; "-" for a part
    that does not exist. The target resumes before anything is printed.

    Where only a part can be read, that part is shown, and the exit code is 3. --out saves all of it
    or nothing.
    """
    if out is not None:
        array_file(out, "--out")
        if rows is not None:
            raise click.UsageError("--rows limits what is shown; --out saves all pointers.")
    with target.open(writable=False) as session:
        table = _read(session, address, count, rows, shown=out is None)
    if out is not None:
        _save(table, out, as_json)
    elif as_json:
        _print_json(table, rows)
    else:
        _print_rows(table, rows)
    if table.failure is None:
        return ExitCode.DONE
    stream_output()
    fail(_shortened(table))
    return ExitCode.NO_ACCESS


def _read(session: Session, address: str, count: int, rows: int | None, shown: bool) -> _Table:
    start = session.resolve(address)
    stopped: TargetAccessError | None = None
    with progress_bar("reading") as progress:
        values = _zeros(count)
        try:
            session.read_pointers(start, into=values, progress=progress)
        except not_from_handler(TargetAccessError) as failure:
            if not shown or not failure.index:
                raise
            stopped = failure
            values = _zeros(failure.index)
            session.read_pointers(start, into=values, progress=progress)
    named = values[: _limit(rows)] if shown else _zeros(0)
    return _Table(
        start,
        session.pointer_size,
        count,
        values,
        names_of(session, named),
        protections_of(session, named),
        stopped,
    )


def _zeros(count: int) -> array[int]:
    try:
        return array("Q", [0]) * count
    except not_from_handler(MemoryError, OverflowError):
        raise MemoryError(f"there is not enough memory for {count:,} pointers") from None


def _limit(rows: int | None) -> int | None:
    """Return how many rows are shown; None for all."""
    return _ROWS_ON_TERMINAL if rows is None and on_terminal() else rows


def _shortened(table: _Table) -> str:
    end = table.address + len(table.values) * table.size
    return (
        f"only {len(table.values):,} of {counted(table.asked, 'pointer')} can be read, up to "
        f"0x{end:x}: {table.failure}"
    )


def _save(table: _Table, out: str, as_json: bool) -> None:
    save_array(out, table.values)
    if as_json:
        print_json({**_head(table), "out": out})
    else:
        click.echo(
            f"{counted(len(table.values), 'pointer')} at 0x{table.address:x} saved in "
            f"{printable(out)}"
        )


def _head(table: _Table) -> dict[str, object]:
    return {
        "address": f"0x{table.address:x}",
        "pointer_size": table.size,
        "count": len(table.values),
    }


def _print_json(table: _Table, limit: int | None) -> None:
    import json

    head = _head(table)
    if table.failure is not None:
        head["asked"] = table.asked
        head["error"] = error_fields(table.failure, _shortened(table), ExitCode.NO_ACCESS)
    rows = (
        f'{{"address": "0x{address:x}", "value": "0x{value:x}", "points_to": {json.dumps(name)}, '
        f'"protection": {json.dumps(page)}}}'
        for address, value, page, name in table.rows(limit)
    )
    print_json_rows(head, "pointers", rows)


def _print_rows(table: _Table, limit: int | None) -> None:
    # For people without zeros in front: names need the room.
    digits = 0 if on_terminal() else 2 * table.size
    shown = _limit(limit)
    rows = (
        (f"0x{address:0{digits}x}", f"0x{value:0{digits}x}", page or "-", name or "-")
        for address, value, page, name in table.rows(shown)
    )
    if on_terminal():
        print_table(
            ("address", "value", "memory", "points to"),
            rows,
            right=("address", "value"),
            whole=("address", "value", "memory"),
            styles={"address": "cyan", "points to": "green", "memory": "dim"},
        )
        if shown is not None and len(table.values) > shown:
            click.echo(
                f"... and {len(table.values) - shown:,} more: --rows shows more, --out saves all"
            )
        return
    stream_output()
    lines = (
        f"{address}  {value}  {page:4}  {printable(name)}\n" for address, value, page, name in rows
    )
    print_lines(lines)
