"""Compare the bytes in the target with the written bytes and the old bytes.

All bytes are in the target's byte order.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from typing import Final

from pydbgwrite._core import (
    ELEMENT_CONFLICTING,
    ELEMENT_OLD,
    ELEMENT_WRITTEN,
    classify,
    find_overlaps,
    pick_classified,
    place_classified,
)
from pydbgwrite._reports import Change

__all__ = ["CONFLICTING", "OLD", "WRITTEN", "Classified", "Overlaps", "elements_of"]

OLD: Final = ELEMENT_OLD
WRITTEN: Final = ELEMENT_WRITTEN
CONFLICTING: Final = ELEMENT_CONFLICTING
_RUNS: Final = {
    kinds: re.compile(b"[%b]+" % bytes(each for each in (WRITTEN, CONFLICTING) if each & kinds))
    for kinds in (WRITTEN, CONFLICTING, WRITTEN | CONFLICTING)
}
_WRITTEN_TO_CONFLICTING: Final = bytes.maketrans(bytes([WRITTEN]), bytes([CONFLICTING]))


class Classified:
    """What the target holds, for each element: the old bytes, the written ones, or neither.

    Several kinds of elements are given as a sum, such as WRITTEN | CONFLICTING.
    """

    def __init__(self, found: bytes, old: bytes, new: bytes, unit: int, mixed: bool) -> None:
        """mixed: an element of old and written bytes counts as written."""
        self._unit = unit
        self._size = len(found)
        self._all = OLD if found == old else WRITTEN if found == new else 0
        self._each = bytearray() if self._all else classify(found, old, new, unit, mixed)

    def size(self, kinds: int) -> int:
        """Return the bytes of these elements."""
        if self._all:
            return self._size if self._all & kinds else 0
        return self._unit * sum(self._each.count(1 << bit) for bit in range(3) if kinds >> bit & 1)

    def runs(self, kinds: int) -> list[tuple[int, int]]:
        """Return the runs of these elements, as offsets in bytes (start, end)."""
        if self._all:
            return [(0, self._size)] if self._all & kinds else []
        unit = self._unit
        found = _RUNS[kinds].finditer(self._each)
        return [(unit * run.start(), unit * run.end()) for run in found]

    def pick(self, kinds: int, data: bytes | array[int], unit: int) -> memoryview[int]:
        """Return the bytes of these elements from data with `unit` bytes for each element."""
        if self._all:
            every = memoryview(data).cast("B")
            return every if self._all & kinds else every[:0]
        return memoryview(pick_classified(data, unit, self._each, kinds))

    def places(self, kinds: int, address: int) -> memoryview[int]:
        """Return the addresses of these elements, which follow each other from `address` on."""
        each = self._each or bytes([self._all]) * (self._size // self._unit)
        return memoryview(place_classified(address, self._unit, each, kinds)).cast("Q")

    @property
    def whole(self) -> bool:
        """True if all elements are of one kind."""
        return self._all != 0

    def is_conflicting(self, element: int) -> bool:
        """Return whether this element holds neither the old bytes nor the written ones."""
        return self._each[element] == CONFLICTING

    def call_written(self, element: int) -> None:
        """Count this element as written."""
        self._each[element] = WRITTEN

    def settle(self) -> None:
        """Count what is as written as conflicting: an earlier undo finished this record."""
        if self._all == WRITTEN:
            self._all = CONFLICTING
        self._each = self._each.translate(_WRITTEN_TO_CONFLICTING)


def elements_of(data: bytes | memoryview[int], unit: int) -> memoryview[int]:
    """Return the bytes as integers of 1, 4 or 8 bytes."""
    view = memoryview(data)
    return view.cast("Q") if unit == 8 else view.cast("I") if unit == 4 else view


class Overlaps:
    """Overlapping elements of one scattered write.

    left has the final bytes of all elements: where two overlap, the later one counts.
    The old bytes do not depend on the order: all were read before any was written.
    """

    def __init__(self, change: Change) -> None:
        addresses, unit = change.addresses, change.unit
        assert addresses is not None
        self._change = change
        self._addresses = addresses
        self._groups: dict[int, list[int]] = {}  # element: the elements that overlap it, in order
        order, groups = find_overlaps(addresses, unit)
        self._order = memoryview(order).cast("Q")
        self.left = change.new
        if not groups:
            return
        left = bytearray(change.new)
        for first, past in groups:
            group = sorted(self._order[first:past])
            start = addresses[self._order[first]]
            whole = bytearray(addresses[self._order[past - 1]] + unit - start)
            for i in group:
                at = addresses[i] - start
                whole[at : at + unit] = change.new[unit * i : unit * i + unit]
            for i in group:
                at = addresses[i] - start
                left[unit * i : unit * i + unit] = whole[at : at + unit]
                self._groups[i] = group
        self.left = bytes(left)

    @property
    def any(self) -> bool:
        """True if elements overlap."""
        return bool(self._groups)

    def classify(self, found: bytes, mixed: bool) -> Classified:
        """Classify all elements."""
        unit = self._change.unit
        classified = Classified(found, self._change.old, self.left, unit, mixed)
        if mixed and not classified.whole:
            for i in self._groups:
                if classified.is_conflicting(i) and self._explain(
                    i, found[unit * i : unit * i + unit]
                ):
                    classified.call_written(i)
        return classified

    def at(self, start: int, size: int) -> tuple[bytes, bytes]:
        """Return the old and the final bytes at addresses that these elements cover."""
        change, unit = self._change, self._change.unit
        old, new = bytearray(size), bytearray(size)
        first = bisect_right(self._order, start - unit, key=self._addresses.__getitem__)
        for i in self._order[first:]:
            address = self._addresses[i]
            if address >= start + size:
                break
            low, high = max(address, start), min(address + unit, start + size)
            source = slice(unit * i + low - address, unit * i + high - address)
            old[low - start : high - start] = change.old[source]
            new[low - start : high - start] = self.left[source]
        return bytes(old), bytes(new)

    def _explain(self, element: int, found: bytes) -> bool:
        """Can an interrupted write have left this: each byte is old, or of an element there?"""
        change, unit = self._change, self._change.unit
        start = self._addresses[element]
        for offset, byte in enumerate(found):
            may = {change.old[unit * element + offset]}
            for other in self._groups[element]:
                at = start + offset - self._addresses[other]
                if 0 <= at < unit:
                    may.add(change.new[unit * other + at])
            if byte not in may:
                return False
        return True
