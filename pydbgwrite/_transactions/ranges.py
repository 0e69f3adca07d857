"""The conflicts that an undo has found so far, by address."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from pydbgwrite import _core
from pydbgwrite._journal.format import read_at, write_all
from pydbgwrite._journal.spool import Spool
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["ConflictRange", "Conflicts", "merged"]


class ConflictRange(NamedTuple):
    """An address range with a conflict, in order of address.

    place locates the bytes that were found. record is the index of the record that found them, and
    unit the size of its elements.
    """

    start: int
    size: int
    place: int
    record: int
    unit: int


class Conflicts:
    """Where the target holds neither old nor written bytes, with the bytes that were found there.

    The bytes can be as many as the journal has, so they are kept in a spool, and a range takes 32
    bytes (core/range_map.c). No signal comes between the steps of a change in C.
    """

    def __init__(self) -> None:
        self._map = _core.RangeMap()
        self._found = _Found()

    def cut(self, start: int, size: int) -> None:
        """Remove addresses."""
        self._map.cut(start, size)
        self._drop_unused()

    def cut_elements(self, addresses: array[int], unit: int) -> None:
        """Remove the addresses of elements."""
        self._map.cut_elements(addresses, unit)
        self._drop_unused()

    def _drop_unused(self) -> None:
        if not self._map:
            self._found.clear()

    def put_runs(
        self, address: int, runs: list[tuple[int, int]], found: memoryview, unit: int, record: int
    ) -> None:
        """Add runs of a record, unless another record has a conflict there.

        The runs are offsets from the address. `found` has their bytes, one run after the other.
        """
        if not runs:
            return
        place = self._found.add(bytes(found))
        for start, end in runs:
            self._map.put(address + start, end - start, unit, record, place)
            place += end - start

    def put_elements(
        self, addresses: memoryview, found: memoryview, unit: int, record: int
    ) -> None:
        """Add elements of a record, unless another record has a conflict there."""
        if addresses:
            self._map.put_elements(addresses, unit, record, self._found.add(bytes(found)))

    def within(self, start: int, size: int) -> list[tuple[int, bytes]]:
        """Return the parts at these addresses, with the bytes found in them."""
        return [(at, self._found.at(place, n)) for _, at, n, place in self._map.within(start, size)]

    def within_elements(self, addresses: array[int], unit: int) -> list[tuple[int, int, bytes]]:
        """Return the parts in these elements: the element, the address, and the bytes found."""
        return [
            (element, at, self._found.at(place, size))
            for element, at, size, place in self._map.within_elements(addresses, unit)
        ]

    def first(self, most: int) -> list[ConflictRange]:
        """Return the first ranges."""
        return [ConflictRange(*each) for each in self._map.first(most)]

    def parts(self) -> list[ConflictRange]:
        """Return the ranges of which a part was removed."""
        return [ConflictRange(*each) for each in self._map.parts()]

    def pieces(self, most: int) -> int:
        """Return the number of elements in all ranges, or of pieces of so many bytes."""
        return self._map.pieces(most)

    def found(self, of: ConflictRange, most: int | None = None) -> bytes:
        """Return the bytes that were found in the range, at most so many."""
        return self._found.at(of.place, of.size if most is None else min(of.size, most))

    def __bool__(self) -> bool:
        return len(self._map) > 0


class _Found:
    """A store of bytes: a spool, or memory if the disk is full."""

    def __init__(self) -> None:
        self._spool = Spool()
        self._spooled = 0
        self._rest: bytearray | None = None

    def add(self, data: bytes) -> int:
        """Store bytes and return their place."""
        place = self._spooled
        if self._rest is None:
            try:
                self._spool.seek(place)
                write_all(self._spool, data)
            except not_from_handler(OSError):
                self._rest = bytearray()  # a full disk does not stop an undo
            else:
                self._spooled += len(data)
                return place
        place += len(self._rest)
        self._rest += data
        return place

    def at(self, place: int, size: int) -> bytes:
        """Return the bytes at a place."""
        if place < self._spooled:
            return read_at(self._spool, place, size)
        assert self._rest is not None
        return bytes(self._rest[place - self._spooled : place - self._spooled + size])

    def clear(self) -> None:
        """Drop all bytes."""
        self._spooled, self._rest = 0, None

    def __del__(self) -> None:
        if hasattr(self, "_spool"):  # not so where Ctrl-C came at the beginning of __init__
            self._spool.close()


def merged(ranges: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Sort ranges (address, size, why) and merge those that touch or overlap.

    A merged range keeps the reason of its first part.
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
