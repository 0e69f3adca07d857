"""Comparing what a target holds with what was written and what was there before.

All in bytes of the target's own form. Runs are (start, end) offsets.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

from pydbgwrite._changes import Change

__all__ = ["Cluster", "Verdict", "clusters_of", "elements_of", "judge"]

Run = tuple[int, int]

# Whole blocks are compared at once; only where they differ is it done element by element.
_BLOCK: Final = 4096
_OLD, _NEW, _FOREIGN = range(3)


class Verdict(NamedTuple):
    """Runs that hold what was written, bytes that hold what was there before, runs of neither."""

    ours: list[Run]
    unchanged: int
    foreign: list[Run]


def judge(found: bytes, old: bytes, new: bytes, unit: int, mixed: bool) -> Verdict:
    """Whose each element of found is. mixed: one whose bytes are all old or new ones is ours."""
    size = len(found)
    if found == old:
        return Verdict([], size, [])
    if found == new:
        return Verdict([(0, size)], 0, [])
    runs: list[tuple[int, int, int]] = []  # whose, start, end

    def add(whose: int, start: int, end: int) -> None:
        if runs and runs[-1][0] == whose and runs[-1][2] == start:
            runs[-1] = (whose, runs[-1][1], end)
        else:
            runs.append((whose, start, end))

    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        parts = found[start:end], old[start:end], new[start:end]
        if parts[0] == parts[1]:
            add(_OLD, start, end)
        elif parts[0] == parts[2]:
            add(_NEW, start, end)
        else:
            for at, whose in _elements(*parts, unit, mixed):
                add(whose, start + at, start + at + unit)
    return Verdict(
        [(start, end) for whose, start, end in runs if whose == _NEW],
        sum(end - start for whose, start, end in runs if whose == _OLD),
        [(start, end) for whose, start, end in runs if whose == _FOREIGN],
    )


def elements_of(data: bytes, unit: int) -> memoryview[int]:
    """Bytes as numbers of 1, 4 or 8 bytes."""
    view = memoryview(data)
    return view.cast("Q") if unit == 8 else view.cast("I") if unit == 4 else view


def _elements(
    found: bytes, old: bytes, new: bytes, unit: int, mixed: bool
) -> Iterator[tuple[int, int]]:
    """The offset of each element, and whose it is."""
    at = 0
    elements = (elements_of(part, unit) for part in (found, old, new))
    for here, before, ours in zip(*elements, strict=True):
        if here == before:
            yield at, _OLD
        elif here == ours or (mixed and _is_mixture(here, before, ours, unit)):
            yield at, _NEW
        else:
            yield at, _FOREIGN
        at += unit


def _is_mixture(here: int, before: int, ours: int, unit: int) -> bool:
    """Is each byte of here the one of before or of ours at its place?"""
    neither_before, neither_ours = here ^ before, here ^ ours
    return all(
        not (neither_before >> shift & 0xFF) or not (neither_ours >> shift & 0xFF)
        for shift in range(0, 8 * unit, 8)
    )


class Cluster(NamedTuple):
    """Elements of one scattered write that overlap: as one stretch, with what it held at the end.

    others holds, for a write that was cut short, the bytes that may be at an offset as well: those
    which a later element was to write over.
    """

    address: int
    old: bytes
    new: bytes
    unit: int
    others: dict[int, set[int]]

    def judge(self, found: bytes, mixed: bool) -> Verdict:
        """As judge(), with regard to others."""
        if not self.others:
            return judge(found, self.old, self.new, self.unit, mixed)
        # What may be here for a moment only counts as written.
        as_new = bytearray(found)
        for at, byte in enumerate(found):
            if byte != self.old[at] and byte in self.others.get(at, ()):
                as_new[at] = self.new[at]
        return judge(bytes(as_new), self.old, self.new, 1, mixed)


def clusters_of(change: Change, mixed: bool) -> tuple[Change, list[Cluster]]:
    """A scattered change less the elements that overlap others, and clusters of those."""
    addresses, unit = change.addresses, change.unit
    assert addresses is not None
    ascending = sorted(addresses)
    if all(b - a >= unit for a, b in itertools.pairwise(ascending)):
        return change, []
    order = sorted(range(len(addresses)), key=addresses.__getitem__)
    groups: list[list[int]] = []
    end = -1
    for index in order:
        if addresses[index] < end:
            groups[-1].append(index)
        else:
            groups.append([index])
        end = addresses[index] + unit
    alone = sorted(group[0] for group in groups if len(group) == 1)
    rest = Change(
        change.address,
        b"".join(change.old[unit * i : unit * i + unit] for i in alone),
        b"".join(change.new[unit * i : unit * i + unit] for i in alone),
        unit,
        array("Q", [addresses[i] for i in alone]),
    )
    clusters = [_cluster(change, sorted(group), mixed) for group in groups if len(group) > 1]
    return rest, clusters


def _cluster(change: Change, group: list[int], mixed: bool) -> Cluster:
    addresses, unit = change.addresses, change.unit
    assert addresses is not None
    start = min(addresses[i] for i in group)
    size = max(addresses[i] for i in group) + unit - start
    old, new = bytearray(size), bytearray(size)
    others: dict[int, set[int]] = {}
    for i in group:
        at = addresses[i] - start
        element = change.new[unit * i : unit * i + unit]
        old[at : at + unit] = change.old[unit * i : unit * i + unit]
        new[at : at + unit] = element
        if mixed:
            for offset, byte in enumerate(element, at):
                others.setdefault(offset, set()).add(byte)
    one_place = size == unit
    return Cluster(start, bytes(old), bytes(new), unit if one_place else 1, others)
