"""Find pointers of a patch that go to the same bytes, which is a fault."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import le, sub
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite._patch.entry import PatchEntry

if TYPE_CHECKING:
    from pydbgwrite._patch.scattered import Entry

__all__ = ["Places", "in_order", "overlaps", "sure_overlaps"]

_OFFSET: Final = re.compile(r"(.*)([+-])(0[xX][0-9a-fA-F]+|[0-9]+)", re.DOTALL)
#: The smaller pointer size: entries that overlap with it overlap with 8, too.
_LEAST: Final = 4


class Places(NamedTuple):
    """Where entries write.

    runs: (address, size, index of the entry) of consecutive pointers. separate: the addresses of
    single pointers in ascending order, with the index of their entry.
    """

    runs: list[tuple[int, int, int]]
    separate: list[tuple[Sequence[int], int]]


def in_order(addresses: Sequence[int]) -> Sequence[int]:
    """Return addresses in ascending order; mostly they are, and then it is fast."""
    ascending = all(map(le, addresses, islice(addresses, 1, None)))
    return addresses if ascending else sorted(addresses)


def sure_overlaps(entries: list[Entry]) -> Iterator[tuple[int, str]]:
    """Return overlaps that need no target to be seen: (index, message)."""
    by_name: dict[str, Places] = {}

    def places_at(name: str) -> Places:
        return by_name.setdefault(name, Places([], []))

    for index, entry in enumerate(entries):
        if isinstance(entry, PatchEntry):
            name, offset = _split(entry.address)
            places_at(name).runs.append((offset, len(entry) * _LEAST, index))
        elif isinstance(entry.addresses, tuple):
            for address in entry.addresses:
                name, offset = _split(address)
                places_at(name).runs.append((offset, _LEAST, index))
        else:
            name, offset = _split(entry.base or 0)
            offsets = entry.addresses
            moved = [offset + each for each in offsets] if offset else offsets
            places_at(name).separate.append((in_order(moved), index))
    for name, places in by_name.items():
        if len(places.runs) > 1 or places.separate:

            def shown(offset: int, name: str = name) -> str:
                sign = "-" if offset < 0 else "+" if name else ""
                return f"{name}{sign}0x{abs(offset):x}"

            yield from overlaps(places, _LEAST, shown)


def overlaps(
    places: Places, width: int, shown: Callable[[int], str] = hex
) -> Iterator[tuple[int, str]]:
    """Return the entries that write to the same bytes as an earlier one: (index, message).

    width: of a single pointer. shown: the text of an address for a message.
    """
    found: dict[tuple[int, int], list[int]] = {}
    for address, later, earlier in _overlapping(places, width):
        found.setdefault((later, earlier), []).append(address)
    separate = {index for _, index in places.separate}
    for (later, earlier), addresses in found.items():
        more = f" and {len(addresses) - 1:,} more" if len(addresses) > 1 else ""
        at = f"{shown(addresses[0])}{more}"
        if later == earlier:
            yield later, f"more than one of its pointers goes to the same bytes: at {at}"
        else:
            where = f": at {at}" if {later, earlier} & separate else ""
            yield later, f"it writes to bytes that entry {earlier + 1} writes to, too{where}"


def _overlapping(places: Places, width: int) -> Iterator[tuple[int, int, int]]:
    """Yield each overlap by address: (address, index of the later entry, of the earlier)."""
    runs, separate = places
    if separate and _are_apart(places, width):
        separate = []
    singles = (zip(addresses, repeat(width), repeat(index)) for addresses, index in separate)
    end, owner = 0, -1
    for address, size, index in sorted(chain(runs, *singles)):
        if owner >= 0 and address < end:
            yield address, max(index, owner), min(index, owner)
        if owner < 0 or address + size > end:
            end, owner = address + size, index


def _are_apart(places: Places, width: int) -> bool:
    """Return whether no single pointer overlaps with another one or with a run. It is fast."""
    points: Sequence[int] = places.separate[0][0]
    if len(places.separate) > 1:
        points = sorted(chain.from_iterable(addresses for addresses, _ in places.separate))
    if min(map(sub, islice(points, 1, None), points), default=width) < width:
        return False
    for address, size, _ in places.runs:
        at = bisect_left(points, address - width + 1)
        if at < len(points) and points[at] < address + size:
            return False
    return True


def _split(address: int | str) -> tuple[str, int]:
    """Split an address into its base (a name, or none) and its offset."""
    if isinstance(address, int):
        return "", address
    match = _OFFSET.fullmatch(address)
    if match is None or len(match[3]) > 64:
        return address, 0
    digits = match[3]
    number = int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    return match[1], -number if match[2] == "-" else number
