"""What pointers point to: by name, and the page protection there."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydbgwrite import errors
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["Protections", "named_values", "names_of", "protections_of"]


def names_of(session: Session, values: array[int]) -> list[str | None]:
    """Return a name for each address, which resolve() takes; None where there is none.

    A target whose modules are not known (a kernel's, perhaps) has none.
    """
    try:
        names = session.names(values)
    except errors.NoTargetError:
        raise
    except not_from_handler(errors.DebugEngineError):
        return [None] * len(values)
    # An address without a name is named by its number.
    return [
        None if name == f"0x{value:x}" else name for name, value in zip(names, values, strict=True)
    ]


def named_values(session: Session, values: Iterable[int]) -> dict[int, str]:
    """Return the names of addresses that have one, by address."""
    ordered = array("Q", sorted(set(values)))
    found = zip(ordered, names_of(session, ordered), strict=True)
    return {value: name for value, name in found if name is not None}


class Protections:
    """The protections of the pages that some pointers point into. It needs no open session."""

    def __init__(self, regions: list[tuple[int, int, str]]) -> None:
        self._regions = regions  # first address, end, protection; in the order of the addresses
        self._bases = [each[0] for each in regions]

    def at(self, address: int) -> str | None:
        """Return the page protection, such as "rw" or "rx"; None if nothing is mapped there."""
        index = bisect_right(self._bases, address) - 1
        if index < 0 or address >= self._regions[index][1]:
            return None
        return self._regions[index][2]

    def code_among(self, ordered: Sequence[int]) -> list[int]:
        """Return those of sorted addresses that are in executable pages that are not writable."""
        found: list[int] = []
        for base, end, protection in self._regions:
            if "x" in protection and "w" not in protection:
                found += ordered[bisect_left(ordered, base) : bisect_left(ordered, end)]
        return found


def protections_of(session: Session, values: Iterable[int]) -> Protections:
    """Query the target for these pointers, once for each region that any of them points into.

    What a target does not have (a dump's regions, perhaps) is left out.
    """
    regions: list[tuple[int, int, str]] = []
    ordered = sorted(set(values))
    at = 0
    while at < len(ordered):
        address = ordered[at]
        try:
            region = session.query(address)
        except errors.NoTargetError:
            raise
        except not_from_handler(errors.DebugEngineError):
            break  # past user space, where nothing higher is known either
        end = region.base + region.size
        if region.state == "committed":
            regions.append((region.base, end, region.protection))
        # A region that ends before its own address would have this go on for ever.
        at = max(at + 1, bisect_left(ordered, end))
    return Protections(regions)
