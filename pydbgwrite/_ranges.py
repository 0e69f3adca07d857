"""Sets of address ranges that carry a value: what an undo has found and not yet settled."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["RangeMap", "merged"]

#: What a range carries: the bytes found there, the index of the record that says so, and whether
#: that is all that this record said, or parts beside it have been cut off.
Found = tuple[bytes, int, bool]

_FEW: Final = 16


class RangeMap:
    """Ranges that do not overlap, in order, each with the bytes that were found in it."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._found: list[Found] = []

    def cut(self, start: int, end: int) -> None:
        """Take every address from start up to end out of the map."""
        starts, ends = self._starts, self._ends
        first = bisect_right(ends, start)
        last = bisect_left(starts, end, first)
        if first == last:
            return
        left: list[tuple[int, int, Found]] = []
        if starts[first] < start:
            found, record, _ = self._found[first]
            left.append((starts[first], start, (found[: start - starts[first]], record, False)))
        if ends[last - 1] > end:
            found, record, _ = self._found[last - 1]
            left.append((end, ends[last - 1], (found[end - starts[last - 1] :], record, False)))
        self._replace(first, last, left)

    def within(self, start: int, end: int) -> list[tuple[int, bytes]]:
        """The parts of ranges that lie from start up to end, with what was found in them."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end, first)
        parts = []
        for at in range(first, last):
            low, high = max(start, self._starts[at]), min(end, self._ends[at])
            begin = self._starts[at]
            parts.append((low, self._found[at][0][low - begin : high - begin]))
        return parts

    def cut_all(self, ranges: list[tuple[int, int]]) -> None:
        """Cut many (start, end) ranges, in ascending order; they may overlap."""
        if len(ranges) < _FEW:
            for start, end in ranges:
                self.cut(start, end)
            return
        old = list(zip(self._starts, self._ends, self._found, strict=True))
        self._starts, self._ends, self._found = [], [], []
        at = 0
        for start, end, (found, record, whole) in old:
            low = start  # what is before it has been settled
            while at < len(ranges) and ranges[at][1] <= start:
                at += 1
            for index in range(at, len(ranges)):
                first, last = ranges[index]
                if first >= end:
                    break
                if first > low:
                    self._append(low, first, (found[low - start : first - start], record, False))
                low = max(low, last)
            if low < end:
                rest = found if low == start else found[low - start :]
                self._append(low, end, (rest, record, whole and low == start))

    def _append(self, start: int, end: int, found: Found) -> None:
        self._starts.append(start)
        self._ends.append(end)
        self._found.append(found)

    def put_all(self, ranges: list[tuple[int, bytes, bool]], record: int) -> None:
        """Add ranges that are not in the map, in ascending order.

        Each with what was found in it, and whether that is all of what the record said there.
        """
        if not ranges:
            return
        new = [
            (start, start + len(found), (found, record, whole)) for start, found, whole in ranges
        ]
        at = bisect_left(self._starts, new[0][0])
        if at == bisect_left(self._starts, new[-1][0]):  # nothing lies between them
            self._replace(at, at, new)
            return
        new += zip(self._starts, self._ends, self._found, strict=True)
        new.sort(key=operator.itemgetter(0))
        self._starts, self._ends, self._found = [], [], []
        self._replace(0, 0, new)

    def _replace(self, first: int, last: int, by: list[tuple[int, int, Found]]) -> None:
        self._starts[first:last] = [start for start, _, _ in by]
        self._ends[first:last] = [end for _, end, _ in by]
        self._found[first:last] = [found for _, _, found in by]

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __iter__(self) -> Iterator[tuple[int, bytes, int, bool]]:
        for start, found in zip(self._starts, self._found, strict=True):
            yield start, *found


def merged(ranges: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """(address, size, why) ranges in order; those that touch or overlap become one.

    Where reasons differ the first address's stays.
    """
    result: list[tuple[int, int, str]] = []
    for address, size, why in sorted(ranges):
        if result:
            start, length, reason = result[-1]
            if address < start + length or (address == start + length and why == reason):
                result[-1] = (start, max(length, address + size - start), reason)
                continue
        result.append((address, size, why))
    return result
