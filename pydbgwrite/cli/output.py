"""What commands print: a short table on a terminal, plain lines elsewhere, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import click

__all__ = ["example", "fail", "print_fields", "print_json"]


def example(line: str) -> str:
    """An epilog for a command's help, which click does not wrap (its backspace mark)."""
    return f"\b\nExample:\n  {line}"


def print_json(fields: Mapping[str, object]) -> None:
    """One JSON object. Addresses and other 64-bit values go in as hexadecimal text."""
    click.echo(json.dumps(fields, indent=2))


def print_fields(title: str, fields: Mapping[str, str]) -> None:
    """A title and a line for each field."""
    if not sys.stdout.isatty():
        width = max(map(len, fields)) + 1
        click.echo(title)
        for name, value in fields.items():
            click.echo(f"  {name + ':':{width}} {value}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        grid.add_row(Text(f"  {name}", style="dim"), Text(value))
    console = Console(highlight=False)
    console.print(Text(title, style="bold"))
    console.print(grid)


def fail(message: str) -> None:
    """One message on stderr."""
    click.echo(f"pydbgwrite: {message}", err=True)
