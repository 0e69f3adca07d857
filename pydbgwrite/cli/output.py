"""What commands print: tables on a terminal, plain lines elsewhere, JSON on request.

held_output.py holds the output until the command ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from pydbgwrite._report.text import counted, printable
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.held_output import HeldOutput, give_up

if TYPE_CHECKING:
    from rich.console import Console

    from pydbgwrite.errors import Mismatch

__all__ = [
    "console",
    "counted",
    "example",
    "fail",
    "mismatch_fields",
    "on_terminal",
    "print_fields",
    "print_json",
    "print_json_rows",
    "print_lines",
    "print_table",
    "printable",
    "show_on_stderr",
    "stream_output",
]

_LINES_AT_ONCE: Final = 4096


def example(line: str) -> str:
    """Return an epilog for a command's help. Its backspace mark keeps click from wrapping it."""
    return f"\b\nExample:\n  {line}"


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_json(fields: Mapping[str, object]) -> None:
    """Print one JSON object. Pass addresses and other 64-bit values as hexadecimal text."""
    import json

    click.echo(json.dumps(fields, indent=2))


def print_json_rows(fields: Mapping[str, object], name: str, rows: Iterable[str]) -> None:
    """Print one JSON object with a list behind the fields, one row a line, piece by piece.

    There can be millions of rows, each as JSON.
    """
    import json

    stream_output()
    begun = json.dumps(fields, indent=2).removesuffix("\n}")
    sys.stdout.write(f'{begun},\n  "{name}": [')
    print_lines(f"{',' if index else ''}\n    {row}" for index, row in enumerate(rows))
    sys.stdout.write("\n  ]\n}\n")


def print_lines(lines: Iterable[str]) -> None:
    """Print lines, each with its end, piece by piece: there can be millions."""
    left = iter(lines)
    while part := "".join(islice(left, _LINES_AT_ONCE)):
        sys.stdout.write(part)


def stream_output() -> None:
    """Write output at once from now on: for a command that has finished its work on the target."""
    if isinstance(sys.stdout, HeldOutput):
        sys.stdout.pass_through()


def print_fields(title: str, fields: Mapping[str, str]) -> None:
    """Print a title and a line for each field."""
    shown = {name: printable(value) for name, value in fields.items()}
    if not on_terminal():
        width = max(map(len, shown), default=0) + 1
        click.echo(title)
        for name, value in shown.items():
            click.echo(f"  {name + ':':{width}} {value}")
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in shown.items():
        grid.add_row(Text(f"  {name}", style="dim"), Text(value, overflow="fold"))
    out = console()
    out.print(Text(title, style="bold"))
    out.print(grid)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table with a head on a terminal; elsewhere aligned columns, for grep and awk.

    right: the columns of numbers. whole: columns that are never folded on a narrow terminal.
    styles: rich's names of styles, by column.
    """
    lines = [[printable(cell) for cell in row] for row in rows]
    if not on_terminal():
        widths = [max(map(len, cells), default=0) for cells in zip(*lines, strict=True)]
        for line in lines:
            cells = (
                f"{cell:>{width}}" if name in right else f"{cell:{width}}"
                for name, cell, width in zip(columns, line, widths, strict=True)
            )
            click.echo("  ".join(cells).rstrip())
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            style=(styles or {}).get(name),
            overflow="fold",
            no_wrap=name in whole,
        )
    for line in lines:
        table.add_row(*map(Text, line))
    console().print(table)


def console(*, stderr: bool = False) -> Console:
    """Return a rich console on standard output (the held one) or standard error."""
    from rich.console import Console, detect_legacy_windows

    # An old Windows console is coloured by calls of its own, which what is held can't make.
    return Console(
        stderr=stderr,
        highlight=False,
        legacy_windows=False,
        color_system=None if detect_legacy_windows() else "auto",
    )


def fail(message: str) -> None:
    """Print a message on stderr."""
    # Line by line: messages have lines of their own, and what they quote must do no harm.
    shown = "\n".join(map(printable, message.split("\n")))
    show_on_stderr(lambda: click.echo(f"pydbgwrite: {shown}", err=True))


def show_on_stderr(show: Callable[[], None]) -> None:
    """Call a function that prints on stderr; ignore a closed or full stderr."""
    if sys.stderr is None:
        return
    try:
        show()
    except not_from_handler(OSError):
        give_up(sys.stderr)


def mismatch_fields(
    mismatches: Iterable[Mismatch], names: Mapping[int, str] | None = None
) -> list[dict[str, str | None]]:
    """Return the fields of mismatches for --json.

    names: of what the pointers point to, if these are known.
    """
    fields: list[dict[str, str | None]] = []
    for each in mismatches:
        values = each._asdict()
        fields.append({key: f"0x{value:x}" for key, value in values.items()})
        if names is not None:
            fields[-1] |= {f"{key}_name": names.get(values[key]) for key in ("wanted", "found")}
    return fields
