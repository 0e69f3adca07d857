"""Find entries of a patch that write to the same bytes, which is a fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pydbgwrite._patch.entry import PatchEntry

__all__ = ["overlaps", "sure_overlaps"]

_OFFSET: Final = re.compile(r"(.*)([+-])(0[xX][0-9a-fA-F]+|[0-9]+)", re.DOTALL)
#: The smaller pointer size: entries that overlap with it overlap with 8, too.
_LEAST: Final = 4


def sure_overlaps(entries: list[PatchEntry]) -> Iterator[tuple[int, str]]:
    """Return overlaps that need no target to be seen: (index, message)."""
    by_name: dict[str, list[tuple[int, int, int]]] = {}
    for index, entry in enumerate(entries):
        name, offset = _split(entry.address)
        by_name.setdefault(name, []).append((offset, len(entry.pointers) * _LEAST, index))
    for ranges in by_name.values():
        if len(ranges) > 1:
            yield from overlaps(ranges)


def overlaps(ranges: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, str]]:
    """Return the ranges (address, size, index) that overlap an earlier one: (index, message)."""
    end, owner = 0, -1
    for address, size, index in sorted(ranges):
        if owner >= 0 and address < end:
            later, earlier = max(index, owner), min(index, owner)
            yield later, f"it writes to bytes that entry {earlier + 1} writes to, too"
        if owner < 0 or address + size > end:
            end, owner = address + size, index


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
