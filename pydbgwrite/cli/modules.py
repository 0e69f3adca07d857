"""pydbgwrite modules: list the programs and libraries in the target."""

from __future__ import annotations

import click

from pydbgwrite.cli.output import example, on_terminal, print_json, print_table
from pydbgwrite.cli.targets import Target, json_option, target_options

__all__ = ["modules"]


@click.command(epilog=example("pydbgwrite modules -p shop"))
@target_options()
@json_option
def modules(target: Target, as_json: bool) -> None:
    """List the programs and libraries in the target.

    An ADDRESS such as libc.so.6+0x1234 begins with one of these names. If the output is not a
    terminal, prints one line for each module: its first address, its size in bytes, name and file.
    --json also has the build id of each, which a patch file can name.
    """
    from pydbgwrite._symbols.build_ids import build_ids_by_base

    with target.open(writable=False) as session:
        found = session.modules()
        ids = build_ids_by_base(session) if as_json else {}
        pid = session.pid
    if as_json:
        listed = [
            {
                "name": each.name,
                "base": f"0x{each.base:x}",
                "size": each.size,
                "path": each.path,
                "build_id": ids.get(each.base),
            }
            for each in found
        ]
        print_json({"pid": pid, "modules": listed})
        return
    size = "{:,}" if on_terminal() else "{}"
    print_table(
        ("base", "size", "name", "file"),
        [(f"0x{each.base:x}", size.format(each.size), each.name, each.path) for each in found],
        right=("base", "size"),
        whole=("base", "size"),
        styles={"base": "cyan", "name": "bold", "file": "dim"},
    )
