"""Long lists: symbols, imports and regions as a table, cut on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from pydbgwrite.cli.output import fail, on_terminal, print_table, stream_output
from pydbgwrite.cli.parameters import COUNT

__all__ = ["print_list", "row_limit", "rows_option"]

#: Rows of a list on a terminal, if nothing else is asked for: more would only scroll away.
_ON_TERMINAL: Final = 200

rows_option = click.option(
    "--rows",
    type=COUNT,
    metavar="N",
    help=f"Show at most N. Default: {_ON_TERMINAL} on a terminal, else all.",
)


def row_limit(rows: int | None, *, as_json: bool) -> int | None:
    """Return how many rows are shown; None for all."""
    return _ON_TERMINAL if rows is None and not as_json and on_terminal() else rows


def print_list(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    total: int,
    *,
    nothing: str,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table of the first rows. On a terminal, say how many more there are.

    nothing: what is said on stderr if there are none. The others are print_table()'s.
    """
    if not total:
        fail(nothing)
        return
    stream_output()
    print_table(columns, rows, right=right, whole=whole, styles=styles)
    if on_terminal() and len(rows) < total:
        click.echo(f"... and {total - len(rows):,} more: --rows shows more")
