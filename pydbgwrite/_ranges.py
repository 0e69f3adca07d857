"""Sets of address ranges that carry a value: what an undo has found and not yet settled."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

__all__ = ["RangeMap", "merged"]

#: What a range carries: the bytes found there, the index of the record that says so, and whether
#: that is all that this record said, or parts beside it have been cut off.
Found = tuple[bytes, int, bool]


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

    def put(self, start: int, found: bytes, record: int) -> None:
        """Add a range that is not in the map."""
        end = start + len(found)
        at = bisect_left(self._starts, start)
        self._replace(at, at, [(start, end, (found, record, True))])

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
