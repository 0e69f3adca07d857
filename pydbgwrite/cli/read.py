"""pydbgwrite read: show pointers of the target, and what they point to."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.output import (
    counted,
    example,
    on_terminal,
    print_json,
    print_table,
    printable,
    stream_output,
)
from pydbgwrite.cli.parameters import COUNT, FILE, array_file, save_array
from pydbgwrite.cli.places import Places, places_of
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["read"]

#: Rows of a table on a terminal, where nothing else is asked for: more would only scroll away.
_ROWS_ON_TERMINAL: Final = 100
_ROWS_AT_ONCE: Final = 4096


class _Table(NamedTuple):
    """The pointers that were read, with all that is needed to show them after the session."""

    address: int
    size: int  # of a pointer, in bytes
    values: array[int]
    places: Places

    def rows(self) -> Iterator[tuple[str, str, str | None, str | None]]:
        """Yield address, value, module+offset and protection of each pointer."""
        digits = 2 * self.size
        for index, value in enumerate(self.values):
            yield (
                f"0x{self.address + index * self.size:0{digits}x}",
                f"0x{value:0{digits}x}",
                self.places.module(value),
                self.places.protection(value),
            )


@click.command(epilog=example("pydbgwrite read --pid 4242 libfoo.so+0x4010 16"))
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
) -> None:
    """Show COUNT pointers at ADDRESS, and what each points to.

    ADDRESS is a number (4096, 0x7f0000001000), module+0x1234, module!symbol or module!symbol+8.

    If the output is not a terminal, prints one line for each pointer: its address, its value, the
    module and offset that it points to, and the page protection there (rw, rx, ...); "-" for a
    part that does not exist. The target resumes before anything is printed.
    """
    if out is not None:
        array_file(out, "--out")
        if rows is not None:
            raise click.UsageError("--rows limits what is shown; --out saves all pointers.")
    with target.open(writable=False) as session:
        table = _read(session, address, count, labelled=out is None)
    if out is not None:
        _save(table, out, as_json)
    elif as_json:
        _print_json(table, rows)
    else:
        _print_rows(table, rows)


def _read(session: Session, address: str, count: int, labelled: bool) -> _Table:
    start = session.resolve(address)
    try:
        values = array("Q", [0]) * count
    except not_from_handler(MemoryError, OverflowError):
        raise MemoryError(f"there is not enough memory for {count:,} pointers") from None
    with progress_bar("reading") as progress:
        session.read_pointers(start, into=values, progress=progress)
    places = places_of(session, values) if labelled else Places([], [])
    return _Table(start, session.pointer_size, values, places)


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
    """Print one object with one pointer a line, piece by piece: there can be millions."""
    import json

    stream_output()
    head = json.dumps(_head(table), indent=2).removesuffix("\n}")
    sys.stdout.write(f'{head},\n  "pointers": [')
    lines = (
        f'{{"address": "{address}", "value": "{value}", "points_to": {json.dumps(module)}, '
        f'"protection": {json.dumps(page)}}}'
        for address, value, module, page in islice(table.rows(), limit)
    )
    separator = "\n    "
    while part := list(islice(lines, _ROWS_AT_ONCE)):
        sys.stdout.write(separator + ",\n    ".join(part))
        separator = ",\n    "
    sys.stdout.write("\n  ]\n}\n")


def _print_rows(table: _Table, limit: int | None) -> None:
    rows = (
        (address, value, module or "-", page or "-")
        for address, value, module, page in table.rows()
    )
    if on_terminal():
        shown = _ROWS_ON_TERMINAL if limit is None else limit
        print_table(
            ("address", "value", "points to", "memory"),
            islice(rows, shown),
            whole=("address", "value"),
            styles={"address": "cyan", "points to": "green", "memory": "dim"},
        )
        if len(table.values) > shown:
            click.echo(
                f"... and {len(table.values) - shown:,} more: --rows shows more, --out saves all"
            )
        return
    stream_output()
    lines = (
        f"{address}  {value}  {printable(module)}  {page}\n"
        for address, value, module, page in islice(rows, limit)
    )
    while part := list(islice(lines, _ROWS_AT_ONCE)):
        sys.stdout.write("".join(part))
