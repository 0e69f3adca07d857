"""Objects that are not pointers, and helpers that show that nothing is written."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager

from pydbgwrite import Session

BASE, SIZE = 0x10000, 0x4000


def fill(session: Session) -> bytes:
    """Fill the `session` fixture's area with bytes that no test writes."""
    before = bytes((i * 31 + 11) % 256 for i in range(SIZE))
    session.write(BASE, before)
    return before


@contextmanager
def nothing_written(session: Session) -> Iterator[None]:
    """Check that the memory is unchanged afterwards, and that the session still works."""
    before = fill(session)
    yield
    assert session.read(BASE, SIZE) == before
    assert session.write_pointers(BASE, [1]) == 1


class Index:
    """An object that converts to int by __index__ only."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class IntSubclass(int):
    """A subclass of int whose own conversions do not matter."""

    def __int__(self) -> int:
        return 99


def pointers(count: int) -> array[int]:
    """Return different 64-bit values, some with the highest bit set."""
    return array("Q", ((i * 0x9E3779B97F4A7C15) % 2**64 for i in range(1, count + 1)))
