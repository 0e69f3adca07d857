"""pydbgwrite imports: list the slots through which modules use functions of others."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import click

from pydbgwrite.cli.listing import print_list, row_limit, rows_option
from pydbgwrite.cli.output import example, on_terminal, print_json
from pydbgwrite.cli.places import names_of
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import ImportSlot

__all__ = ["imports"]


@click.command(epilog=example("pydbgwrite imports -p shop libfoo.so --name free"))
@click.argument("module", required=False)
@target_options()
@click.option(
    "--name",
    metavar="NAME",
    help="Only imports of this name, with or without its version: free, free@GLIBC_2.2.5.",
)
@rows_option
@json_option
def imports(
    target: Target, module: str | None, name: str | None, rows: int | None, as_json: bool
) -> None:
    """List the slots through which MODULE, or each module, uses functions and variables of others.

    To hook an import, write a pointer to its slot.

    If the output is not a terminal, prints one line for each slot: its address, its module, its
    state, and the imported name -> what it points to now. The state is "lazy" if the import is
    bound at the first call, "protected" if the slot's page is not writable (`write` writes to it
    all the same where the system lets a debugger), both, or "-". If there is none, it says so on
    stderr; the exit code is 0.
    """
    limit = row_limit(rows, as_json=as_json)
    with target.open(writable=False) as session:
        found = session.import_slots(module, name)
        pointed = names_of(session, array("Q", (each.points_to for each in found[:limit])))
        pid = session.pid
    if as_json:
        listed = [
            {
                "slot": f"0x{each.address:x}",
                "name": each.name,
                "demangled": each.demangled,
                "module": each.module,
                "library": each.library or None,
                "kind": each.kind,
                "value": f"0x{each.points_to:x}",
                "points_to": there,
                "lazy": each.lazy,
                "protected": each.protected,
            }
            for each, there in zip(found, pointed, strict=False)
        ]
        print_json({"pid": pid, "count": len(found), "imports": listed})
        return
    columns = ["slot", "module", "state", "name", "points to"]
    lines = []
    for each, there in zip(found, pointed, strict=False):
        imported, value = each.demangled or "-", there or f"0x{each.points_to:x}"
        lines.append([f"0x{each.address:x}", each.module, _state(each), imported, value])
    if not on_terminal():  # names can be long: each line has the length that it needs
        columns = columns[:4]
        lines = [[*line[:3], " -> ".join(line[3:])] for line in lines]
    elif module is not None:  # which all lines would repeat
        del columns[1]
        for line in lines:
            del line[1]
    print_list(
        columns,
        lines,
        len(found),
        nothing=_nothing(module, name),
        right=("slot",),
        whole=("slot", "state"),
        styles={"slot": "cyan", "module": "dim", "name": "bold", "points to": "green"},
    )


def _nothing(module: str | None, name: str | None) -> str:
    what = f"an import named {name!r}" if name else "an import"
    return f"{module} does not have {what}" if module else f"no module of the target has {what}"


def _state(slot: ImportSlot) -> str:
    words = ["lazy"] * slot.lazy + ["protected"] * bool(slot.protected)
    return ",".join(words) or "-"
