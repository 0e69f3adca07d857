"""pydbgwrite write: write pointers into the target, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pydbgwrite.cli.output import counted, example, print_json
from pydbgwrite.cli.parameters import FILE, array_file, load_array
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from array import array

    from pydbgwrite import Session
    from pydbgwrite._symbols.resolver import Resolver

__all__ = ["write"]

_FORMS = ".npy (numpy, uint64) or .bin (64-bit, little-endian)"


@click.command(
    epilog=example("pydbgwrite write --pid 4242 libfoo.so+0x4010 libfoo.so!new --expect 0x0")
)
@click.argument("address")
@click.argument("values", nargs=-1, metavar="[VALUE]...")
@target_options()
@click.option(
    "--from", "file", type=FILE, metavar="FILE", help=f"Write the pointers of this file: {_FORMS}."
)
@click.option(
    "--expect",
    multiple=True,
    metavar="VALUE",
    help="Write only if the target holds this value: one for all pointers, or one for each.",
)
@click.option(
    "--expect-from",
    "expect_file",
    type=FILE,
    metavar="FILE",
    help="The same, from a file in a form of --from.",
)
@click.option("--verify", is_flag=True, help="Read the data back; undo the write if it differs.")
@click.option(
    "--truncate", is_flag=True, help="With a 32-bit target: write the low 32 bits of wider values."
)
@json_option
def write(
    target: Target,
    address: str,
    values: tuple[str, ...],
    file: str | None,
    expect: tuple[str, ...],
    expect_file: str | None,
    verify: bool,
    truncate: bool,
    as_json: bool,
) -> None:
    """Write pointers at ADDRESS.

    ADDRESS and each VALUE are numbers (4096, 0x7f0000001000), module+0x1234, module!symbol or
    module!symbol+8. If the write of any of them fails, all are undone.
    """
    pointers = _given("VALUE", values, "--from", file)
    if pointers is None:
        raise click.UsageError("Give one VALUE or more, or --from FILE.")
    expected = _given("--expect", expect, "--expect-from", expect_file)
    from pydbgwrite._symbols.resolver import Resolver

    with target.open(writable=True) as session:
        resolver = Resolver(session)
        place = resolver.resolve(address, "ADDRESS")
        new = _numbers(resolver, pointers, "VALUE")
        now = None if expected is None else _numbers(resolver, expected, "--expect")
        written = _write(session, place, new, now, verify, truncate)
        size = session.pointer_size
    if as_json:
        print_json(
            {
                "address": f"0x{place:x}",
                "pointers": written,
                "bytes": written * size,
                "verified": verify,
            }
        )
    else:
        click.echo(
            f"Wrote {counted(written, 'pointer')} at 0x{place:x}"
            f"{' and read them back' if verify else ''}."
        )


def _given(
    words: str, values: tuple[str, ...], option: str, file: str | None
) -> tuple[str, ...] | array[int] | None:
    """What was given, by words or as a file; None where neither was."""
    if file is None:
        return values or None
    if values:
        raise click.UsageError(f"Give {words} or {option}, not both.")
    return load_array(array_file(file, option))


def _numbers(
    resolver: Resolver, given: tuple[str, ...] | array[int], what: str
) -> list[int] | array[int]:
    return [resolver.resolve(each, what) for each in given] if isinstance(given, tuple) else given


def _write(
    session: Session,
    address: int,
    pointers: list[int] | array[int],
    expected: list[int] | array[int] | None,
    verify: bool,
    truncate: bool,
) -> int:
    from pydbgwrite.cli.undoing import undone_on_failure

    if expected is not None and len(expected) not in (1, len(pointers)):
        raise click.UsageError(
            f"Expect one value, or one for each of {counted(len(pointers), 'pointer')}; "
            f"got {len(expected):,}."
        )
    expect = expected[0] if expected is not None and len(expected) == 1 else expected
    with undone_on_failure(session), progress_bar("writing") as progress:
        return session.write_pointers(
            address,
            pointers,
            via="auto",
            verify=verify,
            expect=expect,
            truncate=truncate,
            progress=progress,
        )
