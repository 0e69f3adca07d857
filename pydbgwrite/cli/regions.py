"""pydbgwrite regions: list what is mapped in the target."""

from __future__ import annotations

import click

from pydbgwrite.cli.listing import print_list, row_limit, rows_option
from pydbgwrite.cli.output import example, on_terminal, print_json
from pydbgwrite.cli.targets import Target, json_option, target_options

__all__ = ["regions"]


@click.command(epilog=example("pydbgwrite regions -p shop"))
@target_options()
@rows_option
@json_option
def regions(target: Target, rows: int | None, as_json: bool) -> None:
    """List what is mapped in the target.

    If the output is not a terminal, prints one line for each region: its first address, its size in
    bytes, its protection (rw, r, rx, none, ...), its state (committed, or reserved on Windows), and
    what is there: the path of a file or module, <heap>, <stack>, or "-" if that is not known.
    """
    limit = row_limit(rows, as_json=as_json)
    with target.open(writable=False) as session:
        found = session.regions()
        pid = session.pid
    if as_json:
        listed = [
            {
                "base": f"0x{each.base:x}",
                "size": each.size,
                "protection": each.protection,
                "state": each.state,
                "name": each.name or None,
            }
            for each in found[:limit]
        ]
        print_json({"pid": pid, "count": len(found), "regions": listed})
        return
    size = "{:,}" if on_terminal() else "{}"
    print_list(
        ("base", "size", "memory", "state", "name"),
        [
            (
                f"0x{each.base:x}",
                size.format(each.size),
                each.protection,
                each.state,
                each.name or "-",
            )
            for each in found[:limit]
        ],
        len(found),
        nothing="nothing is mapped in the target",
        right=("base", "size"),
        whole=("base", "size", "memory"),
        styles={"base": "cyan", "memory": "bold", "state": "dim"},
    )
