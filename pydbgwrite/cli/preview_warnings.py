"""What a preview warns of: places that can be written to, but rarely are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgwrite.cli.output import fail
from pydbgwrite.cli.places import named_values, protections_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydbgwrite import Preview, Session

__all__ = ["show_warnings", "warnings_of"]


def warnings_of(preview: Preview, session: Session) -> list[str]:
    """Return warnings of executable pages, and of addresses that are not aligned."""
    from pydbgwrite import ScatteredEntry

    width = preview.pointer_size
    starts: list[int] = []
    places: set[int] = set()
    for each in preview.entries:
        addresses = each.addresses
        if addresses is not None:
            separate = isinstance(each.entry, ScatteredEntry)
            starts += addresses if separate else addresses[:1]
            places.update(addresses if separate else (addresses[0], addresses[-1]))
    touched = sorted(places)
    warnings = []
    code = protections_of(session, touched).code_among(touched)
    if code:
        name = named_values(session, code[:1]).get(code[0])
        warnings.append(
            "in an executable page, where a pointer can overwrite instructions: "
            + _listed(code, f" ({name})" if name else "")
        )
    unaligned = [each for each in starts if each % width]
    if unaligned:
        warnings.append(
            f"not a multiple of {width}, as the address of a pointer usually is: "
            + _listed(unaligned)
        )
    return warnings


def show_warnings(warnings: Sequence[str]) -> None:
    """Print warnings on stderr."""
    for each in warnings:
        fail(f"warning: {each}")


def _listed(addresses: Sequence[int], name: str = "") -> str:
    more = f", and {len(addresses) - 1:,} more" if len(addresses) > 1 else ""
    return f"0x{addresses[0]:x}{name}{more}"
