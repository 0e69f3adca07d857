"""pydbgwrite find: where the target stores a value, or pointers into a module or a range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.listing import row_limit, rows_option
from pydbgwrite.cli.output import (
    counted,
    example,
    fail,
    on_terminal,
    print_json,
    print_json_rows,
    print_lines,
    print_table,
    printable,
    stream_output,
)
from pydbgwrite.cli.parameters import COUNT, FILE, NumbersCommand, array_file, save_array
from pydbgwrite.cli.places import names_of
from pydbgwrite.cli.progress import progress_bar
from pydbgwrite.cli.searching import (
    bits_of,
    found_fields,
    has_failed_reads,
    mask_option,
    places_of,
    pointers_of,
    show_counts,
    within_option,
)
from pydbgwrite.cli.targets import Target, json_option, target_options

if TYPE_CHECKING:
    from pydbgwrite import Found, Session

__all__ = ["find"]


class _Shown(NamedTuple):
    """What was found, with the names of the first pointers, which need an open session."""

    found: Found
    pid: int | None
    pointer_size: int
    names: list[str | None]
    points_to: list[str | None]
    interrupted: bool

    def rows(self) -> Iterator[tuple[int, int, str | None, str | None]]:
        """Yield address, value, and the names of both, of the first pointers."""
        found = self.found
        return zip(found.addresses, found.values, self.names, self.points_to, strict=False)


@click.command(cls=NumbersCommand, epilog=example("pydbgwrite find -p shop 'shop!table'"))
@click.argument("what")
@target_options()
@within_option
@mask_option
@click.option(
    "--unaligned", is_flag=True, help="Look at every byte, and not only where pointers are aligned."
)
@click.option("--limit", type=COUNT, metavar="N", help="End the search after N pointers.")
@click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    help="Save the addresses to .npy (numpy, uint64) or .bin (64-bit, little-endian), as patch "
    "files read them. Replaces the file.",
)
@rows_option
@json_option
def find(
    target: Target,
    what: str,
    within: tuple[str, ...],
    mask: str | None,
    unaligned: bool,
    limit: int | None,
    out: str | None,
    rows: int | None,
    as_json: bool,
) -> int:
    """Find where the target stores a pointer to WHAT.

    WHAT is an address in any form that `read` takes; or a module, '<heap>', '<stack>' or FIRST..END
    (END is not part of it): then pointers to any place in it are found.

    All readable memory is searched. An integer that happens to have such a value is found, too.

    If the output is not a terminal, prints one line for each pointer: its address, its value, and
    the names of both places; "-" for a place without a name.
    """
    if out is not None:
        array_file(out, "--out")
        if rows is not None:
            raise click.UsageError("--rows limits what is shown; --out saves all addresses.")
    shown_rows = 0 if out is not None else row_limit(rows, as_json=as_json)
    bits = bits_of(mask)
    with target.open(writable=False) as session:
        shown = _find(session, what, within, bits, unaligned, limit, shown_rows)
    if out is not None:
        save_array(out, shown.found.addresses)
    if as_json:
        _print_json(shown, out)
    else:
        _print(shown, out)
    if shown.interrupted:
        stream_output()
        fail("interrupted: there can be more")
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def _find(
    session: Session,
    what: str,
    within: tuple[str, ...],
    mask: int | None,
    unaligned: bool,
    limit: int | None,
    rows: int | None,
) -> _Shown:
    wanted = pointers_of(session, what)
    places = places_of(session, within)
    interrupted = False
    with progress_bar("searching") as progress:
        try:
            found = session.find_pointers(
                wanted,
                within=places,
                mask=mask,
                aligned=not unaligned,
                limit=limit,
                progress=progress,
            )
        except KeyboardInterrupt as interrupt:
            known = getattr(interrupt, "found", None)
            if known is None:
                raise
            found, interrupted = known, True
    return _Shown(
        found,
        session.pid,
        session.pointer_size,
        names_of(session, found.addresses[:rows]),
        names_of(session, found.values[:rows]),
        interrupted,
    )


# ---- output


def _print(shown: _Shown, out: str | None) -> None:
    found = shown.found
    stream_output()
    if on_terminal():
        if shown.names:
            print_table(
                ("address", "value", "stored in", "points to"),
                (
                    (f"0x{address:x}", f"0x{value:x}", name or "-", there or "-")
                    for address, value, name, there in shown.rows()
                ),
                right=("address", "value"),
                whole=("address", "value"),
                styles={"address": "cyan", "stored in": "bold", "points to": "green"},
            )
        if out is None and len(shown.names) < len(found):
            click.echo(
                f"... and {len(found) - len(shown.names):,} more: --rows shows more, --out saves "
                "all"
            )
        show_counts(found)
        click.echo(f"Found {found}.")
    else:
        digits = 2 * shown.pointer_size
        lines = (
            f"0x{address:0{digits}x}  0x{value:0{digits}x}  "
            f"{printable(name or '-')} -> {printable(there or '-')}\n"
            for address, value, name, there in shown.rows()
        )
        print_lines(lines)
        if not found or not found.complete or has_failed_reads(found):
            fail(f"found {found}")
    if out is not None:
        click.echo(f"{counted(len(found), 'pointer')}: addresses saved in {printable(out)}")


def _print_json(shown: _Shown, out: str | None) -> None:
    import json

    found = shown.found
    fields: dict[str, Any] = {
        "pid": shown.pid,
        "pointer_size": shown.pointer_size,
        "count": len(found),
        "complete": found.complete,
        "limited": found.limited,
        **found_fields(found),
    }
    if out is not None:
        print_json({**fields, "out": out})
        return
    rows = (
        f'{{"address": "0x{address:x}", "value": "0x{value:x}", "name": {json.dumps(name)}, '
        f'"points_to": {json.dumps(there)}}}'
        for address, value, name, there in shown.rows()
    )
    print_json_rows(fields, "pointers", rows)
