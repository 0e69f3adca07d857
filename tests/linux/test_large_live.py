"""Requests on live Linux processes that are large enough for several processors to share them."""

from __future__ import annotations

import random
import struct
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Literal

import pytest
from support import elf32
from support.child import PAGE, RW_PAGES
from support.processes import Child32, Child64

import pydbgwrite
from pydbgwrite import Mismatch

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes"),
    pytest.mark.alone,  # a processor that another test uses takes no share
]

PIECE = 512 << 10  # bytes that one processor takes at a time


@contextmanager
def stopped_child(size: int) -> Iterator[tuple[int, pydbgwrite.Session]]:
    """Yield the address of that many bytes, in whole pages before a hole, and a session."""
    with Child64(-(-size // PAGE)) as child, pydbgwrite.attach(child.pid) as session:
        yield child.areas["rw"], session


@pytest.mark.parametrize("size", [4 << 20, (4 << 20) + 5 * 8, 24 << 20])
def test_moving(size: int) -> None:
    """A write works at any offset in a page; the bytes before and after it stay."""
    data = array("Q", random.Random(size).randbytes(size))
    with stopped_child(size + 8192) as (start, session):
        for offset in (0, 8, 4091):
            session.write(start, bytes(size + 8192))
            assert session.data_spaces.write_virtual(start + offset, data) == size
            held = session.read(start, size + 8192)
            assert held[offset : offset + size] == data.tobytes()
            assert held[:offset] == bytes(offset)
            assert held[offset + size :] == bytes(8192 - offset)
            session.write_pointers(start + offset, data[::-1])
            assert session.read_pointers(start + offset, len(data)) == data[::-1]
        # Past the end of the mapping: the pointers are written in order up to the end.
        mapped = -(-(size + 8192) // PAGE) * PAGE
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            session.write_pointers(start + mapped - size + 4096, data)
        assert caught.value.written == (size - 4096) // 8


@pytest.mark.parametrize("offset", [0, 8, 4091])
def test_comparing(offset: int) -> None:
    """Each difference is found in any of the pieces, and nothing else is reported."""
    size = 5 << 20
    count = size // 8
    data = array("Q", random.Random(offset).randbytes(size))
    places = [0, PIECE // 8 - 1, PIECE // 8, count // 2 + 1, count - PIECE // 8, count - 1]
    with stopped_child(size + 8192) as (start, session):
        address = start + offset
        assert session.write_pointers(address, data, verify=True) == count
        assert session.write_pointers(address, data, expect=data, verify=True) == count
        for wrong in (places, *[[place] for place in places]):
            expected = data[:]
            for place in wrong:
                expected[place] ^= 1 << 63
            with pytest.raises(pydbgwrite.ExpectationError) as caught:
                session.write_pointers(address, bytes(size), expect=expected)
            assert caught.value.total == len(wrong)
            assert caught.value.mismatches == [
                Mismatch(address + 8 * place, expected[place], data[place]) for place in wrong
            ]
        # The range continues past the end of the mapping; all before the end is as expected.
        end = (start + size + 8192 + PAGE - 1) // PAGE * PAGE
        before = session.read(end - size // 2, size // 2)
        with pytest.raises(pydbgwrite.TargetAccessError) as unreadable:
            session.write_pointers(end - size // 2, bytes(size), expect=before + before)
        assert (unreadable.value.written, unreadable.value.index) == (0, count // 2)
        assert session.read(address, size) == data.tobytes()


def scattered_places(chance: random.Random, count: int, size: int) -> array[int]:
    """Return places of 8 bytes, some of which overlap, none across two pages; a third is alone."""
    pages = size // PAGE
    shared = [chance.randrange(pages // 2) for _ in range(count - pages // 2)]
    alone = chance.sample(range(pages // 2, pages), pages // 2)
    places = [page * PAGE + chance.randrange(PAGE - 7) for page in (*shared, *alone)]
    chance.shuffle(places)
    return array("Q", places)


@pytest.mark.parametrize("spans", [True, False])
def test_scattered(spans: bool) -> None:
    """The last of overlapping pointers counts, and no byte between them changes."""
    chance = random.Random(spans)
    size = 12 << 20
    places = scattered_places(chance, 40_000, size)
    values = array("Q", chance.randbytes(8 * len(places)))
    with stopped_child(size) as (start, session):
        model = bytearray(session.read(start, size))
        for place, value in zip(places, values, strict=True):
            model[place : place + 8] = value.to_bytes(8, "little")
        addresses = array("Q", [start + place for place in places])
        assert session.write_scattered(addresses, values, spans=spans, verify=True) == len(values)
        assert session.read(start, size) == model
        held = session.read_scattered(addresses)
        assert held == array("Q", [struct.unpack_from("<Q", model, at)[0] for at in places])
        with pytest.raises(pydbgwrite.ExpectationError) as caught:
            wrong = held[:]
            wrong[777] ^= 1 << 63
            session.write_scattered(addresses, values, expect=wrong)
        assert caught.value.mismatches == [Mismatch(addresses[777], wrong[777], held[777])]
        # One address lies behind the end: those before it, in this order, are written.
        end = start + (size + PAGE - 1) // PAGE * PAGE
        unique = array("Q", [start + 512 * at for at in chance.sample(range(size // 512), 20_000)])
        unique[12_345] = end
        with pytest.raises(pydbgwrite.TargetAccessError) as unmapped:
            session.write_scattered(unique, values[:20_000], spans=spans)
        assert unmapped.value.written == 12_345
        assert session.read_scattered(unique[:12_345]) == values[:12_345]


def narrow_values(count: int) -> array[int]:
    """Return values that a 32-bit target can hold, some of them sign-extended."""
    chance = random.Random(count)
    made = array("Q", array("I", chance.randbytes(4 * count)))
    for _ in range(100):
        at = chance.randrange(count)
        made[at] = 2**64 - 1 - chance.randrange(2**31)
    return made


def in_target(values: array[int]) -> bytes:
    """Return the bytes that the target holds after a write of these values."""
    return array("I", [value & 0xFFFFFFFF for value in values]).tobytes()


@pytest.mark.parametrize("offset", [0, 4, 3, 4092])
@pytest.mark.parametrize("way", ["direct", "bulk", "truncated", "raw"])
def test_narrow_pointers(way: str, offset: int) -> None:
    """The program itself reads the lower halves of the values; the bytes before and after stay."""
    count = (3 << 20) // 4 + 5
    size = 4 * count
    values = narrow_values(count)
    if way in ("truncated", "raw"):
        values[count // 3] = 0x123456789ABCDEF0
    with Child32(room=(4 << 20) + RW_PAGES * PAGE) as child:
        # The address is after the pages that come from the program's file.
        start = elf32.RW + RW_PAGES * PAGE
        address = start + 4096 + offset
        with pydbgwrite.attach(child.pid) as session:
            assert session.pointer_size == 4
            session.write(start, b"\xee" * (size + 16384))
            if way == "raw":
                session.data_spaces.write_pointers_virtual(address, values)
            elif way == "truncated":
                session.write_pointers(address, values, truncate=True)
            elif way == "bulk":
                session.write_pointers(address, values, via="WriteVirtual")
            else:
                session.write_pointers(address, values)
        held = child.read(start, size + 16384)
    before = 4096 + offset
    assert held[before : before + size] == in_target(values)
    assert held[:before] == b"\xee" * before
    assert held[before + size :] == b"\xee" * (16384 - before)


@pytest.mark.parametrize("via", ["WritePointersVirtual", "WriteVirtual"])
def test_one_that_does_not_fit(via: Literal["WritePointersVirtual", "WriteVirtual"]) -> None:
    """The pointer is found before anything is written, even if it is the last one."""
    count = (3 << 20) // 4
    values = narrow_values(count)
    with Child32(room=(4 << 20) + RW_PAGES * PAGE) as child:
        start = elf32.RW + RW_PAGES * PAGE
        with pydbgwrite.attach(child.pid) as session:
            for place in (0, count // 2, count - 1):
                wrong = values[:]
                wrong[place] = 1 << 32
                with pytest.raises(pydbgwrite.PointerRangeError) as caught:
                    session.write_pointers(start, wrong, via=via)
                assert (caught.value.index, caught.value.written) == (place, 0)
        assert child.read(start, 4 * count) == bytes(4 * count)


@pytest.mark.parametrize("way", ["WritePointersVirtual", "WriteVirtual", "write_scattered"])
def test_one_that_stops_fitting_meanwhile(way: str) -> None:
    """The pointer is never counted as written, though the target already holds its lower half."""
    count = (6 << 20) // 4  # more than the copy made beforehand
    values = array("Q", [7]) * count
    with Child32(room=(7 << 20) + RW_PAGES * PAGE) as child:
        start = elf32.RW + RW_PAGES * PAGE
        # The target runs for write_scattered: this keeps the order. On a suspended target the
        # pointers are sorted, and taken from the buffer beforehand.
        with pydbgwrite.attach(child.pid, suspend=way != "write_scattered") as session:
            session.write_pointers(start, values)

            def widen(done: int, total: int) -> None:
                if done < total:
                    values[done + 1000] = 7 + (1 << 32)

            with pytest.raises(pydbgwrite.PointerRangeError) as caught:
                if way == "write_scattered":
                    # No two adjacent addresses in a row: the write takes long enough for progress
                    # calls.
                    halves = (range(start + 4 * each, start + 4 * count, 8) for each in (0, 1))
                    places = array("Q", [*chain(*halves)])
                    session.write_scattered(places, values, progress=widen)
                elif way == "WriteVirtual":
                    session.write_pointers(start, values, via="WriteVirtual", progress=widen)
                else:
                    session.write_pointers(start, values, progress=widen)
            index, written = caught.value.index, caught.value.written
        assert index is not None
        assert values[index] == 7 + (1 << 32)
        assert written == index
        assert child.read(start, 4 * count) == array("I", [7]).tobytes() * count
