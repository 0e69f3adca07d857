"""pydbgwrite symbols: list the symbols whose name matches a pattern."""

from __future__ import annotations

import re

import click

from pydbgwrite._symbols.model import KINDS, Symbol
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
    bytes, its kind, its module, and its name. A name that several symbols of a module have is
    followed by the mangled one. If none matches, it says so on stderr; the exit code is 0.
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
    several = _of_several(found)
    size = "{:,}" if on_terminal() else "{}"
    print_list(
        ("address", "size", "kind", "module", "name"),
        [
            (
                f"0x{each.address:x}",
                size.format(each.size),
                each.kind,
                each.module,
                f"{each.demangled} ({each.name})"
                if (each.module, each.demangled) in several
                else each.demangled,
            )
            for each in found[:limit]
        ],
        len(found),
        nothing=_nothing(pattern, module, kind),
        right=("address", "size"),
        whole=("address", "size"),
        styles={"address": "cyan", "kind": "dim", "module": "dim", "name": "bold"},
    )


def _of_several(found: list[Symbol]) -> set[tuple[str, str]]:
    """Return the modules and demangled names that symbols with different mangled names have."""
    known: dict[tuple[str, str], str] = {}
    return {
        (each.module, each.demangled)
        for each in found
        if known.setdefault((each.module, each.demangled), each.name) != each.name
    }


def _nothing(pattern: str, module: str | None, kind: str | None) -> str:
    of_kind = f" of the kind {kind}" if kind else ""
    within = f" in {module}" if module else ""
    hint = ""
    if not re.search(r"[*?[]", pattern):
        hint = f". A pattern fits the whole name: '*{pattern}*' fits names that contain this"
    return f"no symbol{of_kind}{within} matches {pattern!r}{hint}"
