"""pydbgwrite symbols: list the symbols whose name matches a pattern."""

from __future__ import annotations

import click

from pydbgwrite._symbols.model import KINDS
from pydbgwrite.cli.listing import print_list, row_limit, rows_option
from pydbgwrite.cli.output import example, on_terminal, print_json
from pydbgwrite.cli.targets import Target, json_option, target_options

__all__ = ["symbols"]


@click.command(epilog=example("pydbgwrite symbols -p shop 'vtable for *'"))
@click.argument("pattern")
@target_options()
@click.option("--module", metavar="NAME", help="Only symbols of this program or library.")
@click.option("--kind", type=click.Choice(KINDS), help="Only symbols of this kind.")
@rows_option
@json_option
def symbols(
    target: Target,
    pattern: str,
    module: str | None,
    kind: str | None,
    rows: int | None,
    as_json: bool,
) -> None:
    """List the symbols whose name matches PATTERN.

    In PATTERN, * stands for any text, ? for any character, and [abc] for one of these. It must fit
    the whole name: as C++ and Rust sources have it, or mangled, as the file has it. Quote it for
    the shell.

    If the output is not a terminal, prints one line for each symbol: its address, its size in
    bytes, its kind, its module, and its name.
    """
    limit = row_limit(rows, as_json=as_json)
    with target.open(writable=False) as session:
        found = session.symbols(pattern, module=module, kind=kind)
        pid = session.pid
    if as_json:
        listed = [
            {
                "name": each.name,
                "demangled": each.demangled,
                "module": each.module,
                "address": f"0x{each.address:x}",
                "size": each.size,
                "kind": each.kind,
            }
            for each in found[:limit]
        ]
        print_json({"pid": pid, "count": len(found), "symbols": listed})
        return
    size = "{:,}" if on_terminal() else "{}"
    print_list(
        ("address", "size", "kind", "module", "name"),
        [
            (
                f"0x{each.address:x}",
                size.format(each.size),
                each.kind,
                each.module,
                each.demangled,
            )
            for each in found[:limit]
        ],
        len(found),
        nothing="No symbol matches.",
        right=("address", "size"),
        whole=("address", "size"),
        styles={"address": "cyan", "kind": "dim", "module": "dim", "name": "bold"},
    )
