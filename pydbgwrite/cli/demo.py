"""pydbgwrite demo: rewrite a table of function pointers in a real process, and verify it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.output import counted, example, fail, print_fields, print_json
from pydbgwrite.cli.progress import progress_bar, waiting
from pydbgwrite.cli.targets import json_option

if TYPE_CHECKING:
    from pydbgwrite._demo.run import DemoResult

__all__ = ["demo"]


@click.command(epilog=example("pydbgwrite demo --pointers 16_000_000"))
@click.option(
    "--pointers",
    type=click.IntRange(min=1),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="Size of the table.",
)
@json_option
def demo(pointers: int, as_json: bool) -> int:
    """Rewrite a table of function pointers inside a real process.

    Starts a child process that calls through a table of N C function pointers, attaches to it,
    rewrites the whole table, and detaches. The child then calls through its table again and
    reports a checksum, which is compared with one that is computed here.

    Exit codes: 0 verified; 1 the child does not hold what was written; 2 bad input; 3 no access to
    the child, nothing written; 5 the write failed; 74 done, but this output could not be written.
    """
    # numpy, which this needs, takes longer to import than all the rest.
    from pydbgwrite._demo.run import DemoError, run_demo

    try:
        with progress_bar("writing") as progress:
            result = run_demo(pointers, progress=progress, waiting=waiting)
    except not_from_handler(DemoError) as failure:
        fail(str(failure))
        return ExitCode.NOT_AS_EXPECTED
    if as_json:
        print_json(_as_json(result))
    else:
        print_fields(_title(result), _fields(result))
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


def _ns_per_pointer(result: DemoResult) -> float:
    return result.seconds * 1e9 / result.pointers
