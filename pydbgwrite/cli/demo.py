"""pydbgwrite demo: rewrite pointers in a real process, and verify them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.output import counted, example, fail, print_fields, print_json
from pydbgwrite.cli.parameters import Count
from pydbgwrite.cli.progress import progress_bar, waiting
from pydbgwrite.cli.targets import json_option

if TYPE_CHECKING:
    from pydbgwrite._demo.retarget import RetargetResult
    from pydbgwrite._demo.run import DemoResult

__all__ = ["demo"]


@click.command(epilog=example("pydbgwrite demo --pointers 16_000_000"))
@click.argument("what", type=click.Choice(["table", "retarget"]), default="table")
@click.option(
    "--pointers",
    type=Count(1),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="How many pointers are rewritten.",
)
@json_option
def demo(what: str, pointers: int, as_json: bool) -> int:
    """Rewrite pointers inside a real process.

    Starts a child process that calls through a table of N C function pointers, attaches to it,
    rewrites the whole table, and detaches. The child then calls through its table again and
    reports a checksum, which is compared with one that is computed here.

    `demo retarget` starts a child with N objects, each of which points to one of two tables of
    functions. Finds these pointers, and makes all of them point to a third table. The child then
    calls a function of each object.

    Exit codes: 0 verified; 1 the child does not hold what was written; 2 bad input; 3 no access to
    the child, nothing written; 5 the write failed; 74 done, but this output could not be written.
    """
    # numpy, which this needs, takes longer to import than all the rest.
    from pydbgwrite._demo.checks import DemoError
    from pydbgwrite._demo.retarget import run_retarget
    from pydbgwrite._demo.run import run_demo

    result: DemoResult | RetargetResult
    try:
        if what == "table":
            with progress_bar("writing") as progress:
                result = table = run_demo(pointers, progress=progress, waiting=waiting)
            shown, title, fields = _as_json(table), _title(table), _fields(table)
        else:
            with progress_bar("searching, writing") as progress:
                result = moved = run_retarget(pointers, progress=progress, waiting=waiting)
            shown, title, fields = _retarget_json(moved), _retarget_title(moved), _moved(moved)
    except not_from_handler(DemoError) as failure:
        fail(str(failure))
        return ExitCode.NOT_AS_EXPECTED
    if as_json:
        print_json(shown)
    else:
        print_fields(title, fields)
    if result.problem is not None:
        fail(f"not verified: {result.problem}")
        return ExitCode.NOT_AS_EXPECTED
    return ExitCode.DONE


def _title(result: DemoResult) -> str:
    if result.verified:
        return f"Rewrote {counted(result.pointers, 'function pointer')} in a live process."
    return "The write was not verified."


def _fields(result: DemoResult) -> dict[str, str]:
    proof = "no"
    if result.verified and result.after is not None:
        proof = (
            f"yes, {counted(result.after.replacements, 'call')} through it reached new functions"
        )
    return {
        "pid": str(result.pid),
        "engine": result.engine,
        "table": f"0x{result.address:x}",
        "pointers": f"{result.pointers:,} ({result.bytes:,} bytes)",
        "time": f"{result.seconds * 1e3:,.3f} ms, {_ns_per_pointer(result):,.2f} ns a pointer",
        "written by": _way(result),
        "verified by the target": proof,
    }


def _way(result: DemoResult) -> str:
    if result.via == "WriteVirtual":
        return "WriteVirtual, in bulk: WritePointersVirtual of this engine writes them one by one"
    return result.via


def _as_json(result: DemoResult) -> dict[str, object]:
    return {
        "pid": result.pid,
        "engine": result.engine,
        "address": f"0x{result.address:x}",
        "pointers": result.pointers,
        "bytes": result.bytes,
        "via": result.via,
        "seconds": result.seconds,
        "ns_per_pointer": _ns_per_pointer(result),
        "verified": result.verified,
        "checksum_before": f"0x{result.before.checksum:x}",
        "checksum_after": None if result.after is None else f"0x{result.after.checksum:x}",
        "problem": result.problem,
    }


def _retarget_title(result: RetargetResult) -> str:
    if result.verified:
        return f"Moved {counted(result.pointers, 'object')} to another table in a live process."
    return "The result was not verified."


def _moved(result: RetargetResult) -> dict[str, str]:
    proof = "no"
    if result.verified and result.after is not None:
        proof = f"yes, {counted(result.after.calls[2], 'call')} reached functions of the new table"
    return {
        "pid": str(result.pid),
        "engine": result.engine,
        "objects": f"0x{result.address:x} ({result.bytes:,} bytes)",
        "pointers": f"{result.pointers:,} found and replaced",
        "time": f"{result.seconds * 1e3:,.3f} ms, {_ns_per_pointer(result):,.2f} ns a pointer",
        "verified by the target": proof,
    }


def _retarget_json(result: RetargetResult) -> dict[str, object]:
    return {
        "pid": result.pid,
        "engine": result.engine,
        "address": f"0x{result.address:x}",
        "bytes": result.bytes,
        "pointers": result.pointers,
        "seconds": result.seconds,
        "ns_per_pointer": _ns_per_pointer(result),
        "verified": result.verified,
        "calls_before": result.before.calls,
        "calls_after": None if result.after is None else result.after.calls,
        "checksum_before": f"0x{result.before.checksum:x}",
        "checksum_after": None if result.after is None else f"0x{result.after.checksum:x}",
        "problem": result.problem,
    }


def _ns_per_pointer(result: DemoResult | RetargetResult) -> float:
    return result.seconds * 1e9 / result.pointers
