"""A buffer of a gibibyte in one call to Microsoft's engine, and counts beyond any buffer's.

A 32-bit Python can have little more than one such buffer, and so can its target.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import dbgeng
from support.dbgeng import NARROW, OWN, needs_engine, target

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


@pytest.mark.parametrize("count", [sys.maxsize + 1, 2**64 - 1])
def test_a_count_that_no_buffer_has(count: int) -> None:
    """From 2**31 on in a 32-bit Python."""
    with target() as child, pydbgwrite.attach(child.pid) as session:
        session.write_pointers(child.base, [1])
        for read in (session.read, session.read_pointers):
            with pytest.raises(OverflowError, match=f"at most {sys.maxsize}, got {count}"):
                read(child.base, count)
        assert list(session.read_pointers(child.base, 1)) == [1]
