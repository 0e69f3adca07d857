"""A buffer of a gibibyte in one call to Microsoft's engine, and counts beyond any buffer's.

A 32-bit Python can have little more than one such buffer, and so can its target.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support import dbgeng
from support.dbgeng import COUNT, MARK, NARROW, OWN, needs_engine, target

import pydbgwrite

pytestmark = needs_engine
GIB = 1 << 30

# Has memory of that size; answers with the bytes at an offset.
_LARGE = """
import ctypes, sys
kernel = ctypes.windll.kernel32
kernel.VirtualAlloc.restype = ctypes.c_void_p
kernel.VirtualAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32]
base = kernel.VirtualAlloc(None, int(sys.argv[1]), 0x3000, 4)
print(base, flush=True)
for line in sys.stdin:
    print(ctypes.string_at(base + int(line), 16).hex(), flush=True)
"""


class Large:
    """A program with one large piece of memory."""

    def __init__(self, size: int) -> None:
        self.process = dbgeng.start(_LARGE, str(size))
        assert self.process.stdin is not None and self.process.stdout is not None
        self.into, self.out = self.process.stdin, self.process.stdout
        self.base = int(self.out.readline())

    def held(self, offset: int) -> bytes:
        """Return 16 bytes, as the program itself sees them."""
        print(offset, file=self.into, flush=True)
        return bytes.fromhex(self.out.readline())


@contextmanager
def large(size: int) -> Iterator[Large]:
    program = Large(size)
    try:
        yield program
    finally:
        dbgeng.end(program.process)


def test_a_gibibyte(profile: str) -> None:
    """As bytes, then as pointers, whose 64-bit values take that much."""
    size = GIB if NARROW or profile == "full" else GIB >> 7
    data = bytearray(size)
    marks = {0: 0x1122334455667788, size // 2: 0x99AABBCCDDEEFF00, size - 8: 0x0F1E2D3C4B5A6978}
    for at, mark in marks.items():
        data[at : at + 8] = (mark % 256**OWN).to_bytes(8, "little")
    with large(size) as program:
        with pydbgwrite.attach(program.process.pid) as session:
            assert session.write(program.base, data) == size
            last = session.read(program.base + size - 8, 8)
        assert last == data[-8:]
        assert program.held(size // 2) == data[size // 2 : size // 2 + 16]

        with pydbgwrite.attach(program.process.pid) as session:
            values = memoryview(data).cast("Q")
            assert session.write_pointers(program.base, values, via="WriteVirtual") == size // 8
        for at, mark in marks.items():
            place = at // 8 * OWN
            expected = (mark % 256**OWN).to_bytes(OWN, "little")
            assert program.held(place - place % 16)[place % 16 :][:OWN] == expected, hex(at)


@pytest.mark.parametrize("count", sorted({sys.maxsize + 1, 2**32, 2**64 - 1}))
def test_a_count_that_no_buffer_has(count: int) -> None:
    """From 2**31 on in a 32-bit Python. The raw calls take a ULONG."""
    with target() as child, pydbgwrite.attach(child.pid) as session:
        spaces = session.data_spaces
        session.write_pointers(child.base, [1])
        reads: list[Callable[[int, int], object]] = [session.read, session.read_pointers]
        for read in reads if count > sys.maxsize else []:
            with pytest.raises(OverflowError, match=f"at most {sys.maxsize}, got {count}"):
                read(child.base, count)
        most = sys.maxsize if count < 2**32 else r"2\*\*32 - 1"
        raw = (spaces.read_virtual, spaces.read_virtual_uncached, spaces.read_pointers_virtual)
        for read in raw:
            with pytest.raises(OverflowError, match=f"at most {most}, got {count}"):
                read(child.base, count)
        assert list(session.read_pointers(child.base, 1)) == [1]


@pytest.mark.parametrize("size", [2**31, 2**32 - 1])
def test_filling_beyond_any_buffer(size: int) -> None:
    """FillVirtual stops where the memory ends."""
    with target() as child, pydbgwrite.attach(child.pid) as session:
        assert session.data_spaces.fill_virtual(child.base, size, b"ab") == COUNT * OWN
        assert session.read(child.base + COUNT * OWN - 4, 4) == b"abab"
        with pytest.raises(OverflowError, match=r"at most 2\*\*32 - 1, got 4294967296"):
            session.data_spaces.fill_virtual(child.base, 2**32, b"cd")
        assert session.read(child.base, 4) == b"abab"


@pytest.mark.parametrize("length", [2**31, 2**32, 2**64 - 1])
def test_searching_beyond_any_buffer(length: int) -> None:
    with target() as child, pydbgwrite.attach(child.pid) as session:
        session.write_pointers(child.base + 4096, [MARK])
        mark = MARK.to_bytes(OWN, "little")
        found = session.data_spaces.search_virtual(child.base, length, mark)
        assert found == child.base + 4096


def test_writing_beyond_the_last_address() -> None:
    """Which is 2**32 - 1 in a 32-bit Python."""
    high = 256**OWN - 4096
    refused = pydbgwrite.TargetAccessError if NARROW else ValueError
    with target() as child, pydbgwrite.attach(child.pid) as session:
        writes: tuple[Callable[[], object], ...] = (
            lambda: session.write(high, bytes(8192)),
            lambda: session.write_pointers(high, [1] * 2048),
        )
        for write in writes:
            with pytest.raises(refused, match=rf"past 2\*\*{8 * OWN}\b.*nothing was written"):
                write()
