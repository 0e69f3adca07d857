"""What commands print: a short table on a terminal, plain lines elsewhere, JSON on request."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import click

__all__ = ["HeldOutput", "example", "fail", "print_fields", "print_json", "show_on_stderr"]


def example(line: str) -> str:
    """An epilog for a command's help, which click does not wrap (its backspace mark)."""
    return f"\b\nExample:\n  {line}"


def print_json(fields: Mapping[str, object]) -> None:
    """One JSON object. Addresses and other 64-bit values go in as hexadecimal text."""
    click.echo(json.dumps(fields, indent=2))


def print_fields(title: str, fields: Mapping[str, str]) -> None:
    """A title and a line for each field."""
    if sys.stdout is None or not sys.stdout.isatty():
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
    show_on_stderr(lambda: click.echo(f"pydbgwrite: {message}", err=True))


def show_on_stderr(show: Callable[[], None]) -> None:
    """Call what prints on stderr; where that is closed or full, the exit code must do."""
    if sys.stderr is None:
        return
    try:
        show()
    except OSError:
        _give_up(sys.stderr)


class HeldOutput(io.StringIO):
    """Stands in for sys.stdout while a command runs: what it prints is written at the end.

    So a failure to print is told from every other OSError, and comes from one place.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream

    def isatty(self) -> bool:
        """Is what it stands in for a terminal?"""
        return self._stream is not None and self._stream.isatty()

    def release(self) -> OSError | None:
        """Write what was held; the error where that failed."""
        text = self.getvalue()
        if self._stream is None or not text:
            return None
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as failure:
            _give_up(self._stream)
            return failure
        return None


def _give_up(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: else the interpreter's exit fails over it."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
