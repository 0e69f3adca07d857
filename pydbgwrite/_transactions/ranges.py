"""Address ranges with a value: the conflicts that an undo has found so far."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sized
from typing import Final, NamedTuple

from pydbgwrite._journal.format import read_at, write_all
from pydbgwrite._journal.spool import Spool
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["Range", "RangeMap", "merged"]

_CHUNK: Final = 256  # ranges
_MANY: Final = 16


class Range(NamedTuple):
    """An address range with a conflict.

    record is the index of the record that found it. whole is true if the range is all that the
    record found there, false if parts were cut off. place locates the bytes that were found.
    """

    start: int
    end: int
    record: int
    whole: bool
    place: int

    def part(self, start: int, end: int) -> Range:
        """Return the part from start to end."""
        return Range(start, end, self.record, False, self.place + start - self.start)


class RangeMap:
    """Disjoint ranges in ascending order, each with the bytes that were found in it.

    The bytes can be as many as the journal has, so they are kept in a spool, and a range takes
    32 bytes. The ranges are kept in chunks, since each record of an undo changes only a few.
    A chunk is never changed but replaced, in one step, because an exception may come anywhere.
    """

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._found = _Found()

    def cut(self, start: int, end: int) -> None:
        """Remove the addresses from start up to end."""
        at = self._chunk_at(start)
        while at < len(self._chunks) and _first(self._chunks[at]) < end:
            left = self._chunks[at].cut(start, end)
            if len(left):
                self._chunks[at] = left
                at += 1
            else:
                del self._chunks[at]
        if not self._chunks:
            self._found.clear()

    def cut_all(self, ranges: list[tuple[int, int]]) -> None:
        """Remove many (start, end) ranges, given in ascending order; they may overlap."""
        if self._are_many(ranges):
            self._chunks = _Chunk.joined(self._chunks).without(ranges).parts()
        else:
            for start, end in ranges:
                self.cut(start, end)
        if not self._chunks:
            self._found.clear()

    def _are_many(self, ranges: Sized) -> bool:
        """Return whether one pass over the map is cheaper than one search for each range."""
        return len(ranges) * _MANY >= len(self._chunks) * _CHUNK

    def put_all(self, ranges: list[tuple[int, bytes, bool]], record: int) -> None:
        """Add ranges in ascending order that are not in the map.

        Each has the bytes that were found, and whether they are all that the record found there.
        """
        if not ranges:
            return
        place = self._found.add(b"".join([found for _, found, _ in ranges]))
        new = _Chunk.of(ranges, record, place)
        if self._are_many(new):
            self._chunks = _Chunk.joined([*self._chunks, new]).in_order().parts()
            return
        at = 0
        while at < len(new):
            start = new.starts[at]
            number = self._chunk_at(start)
            chunk = self._chunks[number]
            index = bisect_left(chunk.starts, start)
            behind = len(new)
            if index < len(chunk):
                behind = bisect_left(new.starts, chunk.starts[index], at)
            elif number + 1 < len(self._chunks):
                behind = bisect_left(new.starts, _first(self._chunks[number + 1]), at)
            more = chunk.replaced(index, index, new.slice(at, behind))
            parts = more.parts() if len(more) > 2 * _CHUNK else [more]
            self._chunks[number : number + 1] = parts
            at = behind

    def _chunk_at(self, start: int) -> int:
        """Return the index of the chunk for a range that starts there."""
        return max(bisect_right(self._chunks, start, key=_first) - 1, 0)

    def within(self, start: int, end: int) -> list[tuple[int, bytes]]:
        """Return the parts of ranges from start up to end, with the bytes found in them."""
        parts = [
            each.part(max(start, each.start), min(end, each.end))
            for each in self._touching(start, end)
        ]
        return [(each.start, self.found(each)) for each in parts]

    def touches(self, start: int, end: int) -> bool:
        """Does the map contain an address from start up to end?"""
        return next(self._touching(start, end), None) is not None

    def _touching(self, start: int, end: int) -> Iterator[Range]:
        for at in range(self._chunk_at(start), len(self._chunks)):
            chunk = self._chunks[at]
            if _first(chunk) >= end:
                return
            for index in chunk.touching(start, end):
                yield chunk[index]

    def found(self, of: Range) -> bytes:
        """Return the bytes that were found in the range."""
        return self._found.at(of.place, of.end - of.start)

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __iter__(self) -> Iterator[Range]:
        return itertools.chain.from_iterable(self._chunks)


class _Chunk:
    """Parallel arrays of ranges. Last addresses are kept, since memory's end exceeds 64 bits.

    said packs the record's index (doubled) and the flag `whole`.
    """

    __slots__ = ("lasts", "places", "said", "starts")

    def __init__(self, *columns: array[int]) -> None:
        self.starts, self.lasts, self.said, self.places = columns or (array("Q") for _ in range(4))

    @classmethod
    def joined(cls, chunks: list[_Chunk]) -> _Chunk:
        """Make one chunk of many."""
        whole = cls()
        for each in chunks:
            for column, more in zip(whole._columns(), each._columns(), strict=True):
                column.extend(more)
        return whole

    @classmethod
    def of(cls, ranges: list[tuple[int, bytes, bool]], record: int, place: int) -> _Chunk:
        """Make a chunk of ranges whose bytes are stored consecutively, beginning at that place."""
        starts = array("Q", [start for start, _, _ in ranges])
        sizes = [len(found) for _, found, _ in ranges]
        return cls(
            starts,
            array("Q", [start + size - 1 for start, size in zip(starts, sizes, strict=True)]),
            array("Q", [2 * record + whole for _, _, whole in ranges]),
            array("Q", itertools.accumulate(sizes[:-1], initial=place)),
        )

    def slice(self, first: int, last: int) -> _Chunk:
        """Return the ranges from one index up to another."""
        return _Chunk(*(each[first:last] for each in self._columns()))

    def parts(self) -> list[_Chunk]:
        """Return the same ranges in chunks of the usual size."""
        return [self.slice(at, at + _CHUNK) for at in range(0, len(self), _CHUNK)]

    def in_order(self) -> _Chunk:
        """Return the same ranges sorted by address."""
        order = sorted(range(len(self)), key=self.starts.__getitem__)
        return _Chunk(*(array("Q", map(each.__getitem__, order)) for each in self._columns()))

    def without(self, cut: list[tuple[int, int]]) -> _Chunk:
        """Return what remains after removing ranges, given in ascending order."""
        left = _Chunk()
        at = 0
        for start, last, said, place in zip(*self._columns(), strict=True):
            while at < len(cut) and cut[at][1] <= start:
                at += 1
            low = start  # everything before it is done
            for index in range(at, len(cut)):
                first, end = cut[index]
                if first > last:
                    break
                if first > low:
                    left.append(low, first - 1, said & ~1, place + low - start)
                low = max(low, end)
            if low <= last:
                left.append(low, last, said if low == start else said & ~1, place + low - start)
        return left

    def append(self, start: int, last: int, said: int, place: int) -> None:
        """Append a range."""
        self.starts.append(start)
        self.lasts.append(last)
        self.said.append(said)
        self.places.append(place)

    def replaced(self, first: int, last: int, by: _Chunk) -> _Chunk:
        """Return a chunk with others in place of the ranges from one index up to another."""
        pairs = zip(self._columns(), by._columns(), strict=True)
        return _Chunk(*(column[:first] + new + column[last:] for column, new in pairs))

    def _columns(self) -> tuple[array[int], ...]:
        return self.starts, self.lasts, self.said, self.places

    def cut(self, start: int, end: int) -> _Chunk:
        """Return a chunk without the addresses from start up to end."""
        first = bisect_left(self.lasts, start)
        last = bisect_left(self.starts, end, first)
        if first == last:
            return self
        left = _Chunk()
        begin, behind = self.starts[first], self.lasts[last - 1]
        if begin < start:
            left.append(begin, start - 1, self.said[first] & ~1, self.places[first])
        if behind >= end:
            place = self.places[last - 1] + end - self.starts[last - 1]
            left.append(end, behind, self.said[last - 1] & ~1, place)
        return self.replaced(first, last, left)

    def touching(self, start: int, end: int) -> range:
        """Return the indexes of the ranges that contain any of these addresses."""
        first = bisect_left(self.lasts, start)
        return range(first, bisect_left(self.starts, end, first))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, at: int) -> Range:
        record, whole = divmod(self.said[at], 2)
        return Range(self.starts[at], self.lasts[at] + 1, record, bool(whole), self.places[at])

    def __iter__(self) -> Iterator[Range]:
        return map(self.__getitem__, range(len(self)))


def _first(chunk: _Chunk) -> int:
    """Return the start of the first range."""
    return chunk.starts[0]


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
