"""pydbgwrite verify: compare the target with a patch file."""

from __future__ import annotations

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.change_table import Row, show_places
from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.output import (
    counted,
    example,
    fail,
    mismatch_fields,
    print_json,
    stream_output,
)
from pydbgwrite.cli.parameters import FILE
from pydbgwrite.cli.patches import load_patch, side_files_option
from pydbgwrite.cli.places import named_values
from pydbgwrite.cli.targets import Target, json_option, target_options
from pydbgwrite.errors import VerificationError

__all__ = ["verify"]


@click.command(epilog=example("pydbgwrite verify -p shop patch.toml"))
@click.argument("patch", type=FILE, metavar="PATCH.toml")
@target_options()
@side_files_option
@json_option
def verify(target: Target, patch: str, side_files_anywhere: bool, as_json: bool) -> int:
    """Check that the target holds the pointers of a patch file. Writes nothing.

    Exit codes: 0 it does; 1 it does not, and the differences are listed. `pydbgwrite --help` has
    the others.
    """
    loaded = load_patch(patch, side_files_anywhere)
    pointers = sum(map(len, loaded.entries))
    with target.open(writable=False) as session:
        try:
            loaded.verify(session)
        except not_from_handler(VerificationError) as failure:
            different: VerificationError | None = failure
        else:
            different = None
        mismatches = [] if different is None else different.mismatches
        pointer_size = session.pointer_size
        names = named_values(session, (value for each in mismatches for value in each[1:]))
    total = 0 if different is None else different.total
    if as_json:
        print_json(
            {
                "verified": different is None,
                "pointers": pointers,
                "mismatch_total": total,
                "mismatches": mismatch_fields(mismatches, names),
            }
        )
    elif different is None:
        click.echo(f"The target holds what the patch writes: {counted(pointers, 'pointer')}.")
    else:
        rows = [Row(each.address, each.found, each.wanted, "problem") for each in mismatches]
        show_places(rows, total, names, pointer_size, ("found", "wanted"))
    if different is not None:
        stream_output()  # or the sum would stand above the table
        fail(f"{total:,} of {counted(pointers, 'pointer')} differ{'s' if total == 1 else ''}")
        return ExitCode.NOT_AS_EXPECTED
    return ExitCode.DONE
