"""Compare the bytes in the target with the written bytes and the old bytes.

All bytes are in the target's byte order. A run is a pair of offsets (start, end).
"""

from __future__ import annotations

import itertools
import operator
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from pydbgwrite._reports import Change

__all__ = ["Overlaps", "Verdict", "classify", "elements_of"]

Run = tuple[int, int]

_OLD, _NEW, _FOREIGN = range(3)
_RUNS: Final = re.compile(rb"\x00+|\x01+|\x02+")
_NOT_ZERO: Final = b"\0" + b"\1" * 255


class Verdict(NamedTuple):
    """Runs with the written bytes, the number of old bytes, and runs with neither."""

    ours: list[Run]
    unchanged: int
    conflicting: list[Run]


def classify(found: bytes, old: bytes, new: bytes, unit: int, mixed: bool) -> Verdict:
    """Classify each element of found. mixed: an element of old and written bytes is ours."""
    size = len(found)
    if found == old:
        return Verdict([], size, [])
    if found == new:
        return Verdict([(0, size)], 0, [])
    # One byte for each element: 1 if it differs from the old one, or from the new one.
    not_old, not_new = _differ(found, old, unit), _differ(found, new, unit)
    if mixed and unit > 1:
        neither = _both(_differ(found, old, 1), _differ(found, new, 1))
        not_new = bytes(map(bool, elements_of(neither, unit)))
    neither = _both(not_old, not_new)
    whose = (_number(not_old) + _number(neither)).to_bytes(len(not_old), "little")
    runs: dict[int, list[Run]] = {_OLD: [], _NEW: [], _FOREIGN: []}
    for run in _RUNS.finditer(whose):
        runs[whose[run.start()]].append((unit * run.start(), unit * run.end()))
    return Verdict(runs[_NEW], sum(end - start for start, end in runs[_OLD]), runs[_FOREIGN])


def _differ(one: bytes, other: bytes, unit: int) -> bytes:
    """Return one byte for each element, 1 where they differ, without a Python loop."""
    if unit == 1:
        difference = _number(one) ^ _number(other)
        return difference.to_bytes(len(one), "little").translate(_NOT_ZERO)
    return bytes(map(operator.ne, elements_of(one, unit), elements_of(other, unit)))


def _both(one: bytes, other: bytes) -> bytes:
    return (_number(one) & _number(other)).to_bytes(len(one), "little")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def elements_of(data: bytes, unit: int) -> memoryview[int]:
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
        self._order: list[int] | None = None
        self.left = change.new
        ascending = sorted(addresses)
        if all(b - a >= unit for a, b in itertools.pairwise(ascending)):
            return
        left = bytearray(change.new)
        for group in self._find_groups():
            start = min(addresses[i] for i in group)
            whole = bytearray(max(addresses[i] for i in group) + unit - start)
            for i in group:
                at = addresses[i] - start
                whole[at : at + unit] = change.new[unit * i : unit * i + unit]
            for i in group:
                at = addresses[i] - start
                left[unit * i : unit * i + unit] = whole[at : at + unit]
                self._groups[i] = group
        self.left = bytes(left)

    def _find_groups(self) -> Iterator[list[int]]:
        addresses, unit = self._addresses, self._change.unit
        group: list[int] = []
        for i in sorted(range(len(addresses)), key=addresses.__getitem__):
            if group and addresses[i] >= addresses[group[-1]] + unit:
                if len(group) > 1:
                    yield sorted(group)
                group = []
            group.append(i)
        if len(group) > 1:
            yield sorted(group)

    def at(self, start: int, size: int) -> tuple[bytes, bytes]:
        """Return the old and the final bytes at addresses that these elements cover."""
        if self._order is None:
            self._order = sorted(range(len(self._addresses)), key=self._addresses.__getitem__)
        change, unit = self._change, self._change.unit
        old, new = bytearray(size), bytearray(size)
        first = bisect_right(self._order, start - unit, key=self._addresses.__getitem__)
        for i in itertools.islice(self._order, first, None):
            address = self._addresses[i]
            if address >= start + size:
                break
            low, high = max(address, start), min(address + unit, start + size)
            source = slice(unit * i + low - address, unit * i + high - address)
            old[low - start : high - start] = change.old[source]
            new[low - start : high - start] = self.left[source]
        return bytes(old), bytes(new)

    def explain(self, element: int, found: bytes) -> bool:
        """Can an interrupted write have left this: each byte is old, or of an element there?"""
        change, unit = self._change, self._change.unit
        start = self._addresses[element]
        for offset, byte in enumerate(found):
            may = {change.old[unit * element + offset]}
            for other in self._groups.get(element, [element]):
                at = start + offset - self._addresses[other]
                if 0 <= at < unit:
                    may.add(change.new[unit * other + at])
            if byte not in may:
                return False
        return True
