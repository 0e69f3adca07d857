"""Places where the target holds something else than it should, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from pydbgwrite.cli.output import counted, print_table

if TYPE_CHECKING:
    from pydbgwrite.errors import Mismatch

__all__ = ["mismatch_fields", "show_mismatches"]


def mismatch_fields(mismatches: Iterable[Mismatch]) -> list[dict[str, str]]:
    """For --json."""
    return [
        {
            "address": f"0x{each.address:x}",
            "wanted": f"0x{each.wanted:x}",
            "found": f"0x{each.found:x}",
        }
        for each in mismatches
    ]


def show_mismatches(mismatches: Iterable[Mismatch], total: int) -> None:
    """A table of the first of them."""
    rows = [
        (f"0x{each.address:x}", f"0x{each.wanted:x}", f"0x{each.found:x}") for each in mismatches
    ]
    print_table(
        ("address", "wanted", "found"),
        rows,
        whole=("address", "wanted", "found"),
        styles={"address": "cyan", "wanted": "green", "found": "red"},
    )
    if total > len(rows):
        click.echo(f"... and {counted(total - len(rows), 'place')} more")
