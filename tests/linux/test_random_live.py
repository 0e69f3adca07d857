"""Random operations on a live process, compared with a model of its memory in plain Python."""

from __future__ import annotations

import random
import sys
from array import array
from typing import Any

import pytest
from support.chance import chance, rounds
from support.child import PAGE, RW_PAGES, pattern
from support.processes import Child64

import pydbgwrite
from pydbgwrite import ExpectationError, Session, TargetAccessError

__all__ = ["chance"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

SIZE = RW_PAGES * PAGE


class Model:
    """A model of the process's memory: a writable area with a hole on each side."""

    def __init__(self, base: int, chance: random.Random) -> None:
        self.base = base
        self.held = bytearray(pattern(SIZE))
        self.chance = chance
        self.recorded = False  # if True, memory that can't be read first is not written at all

    def values(self, most: int) -> list[int]:
        return [self.chance.getrandbits(64) for _ in range(self.chance.randrange(1, most) or 1)]

    def place(self, size: int) -> int:
        """Return an offset inside the area, or sometimes across an end."""
        if self.chance.random() < 0.15:
            return self.chance.choice([-self.chance.randrange(1, size + 8), SIZE - size // 2])
        at = self.chance.randrange(0, max(1, SIZE - size))
        return at - at % 8 if self.chance.random() < 0.6 else at

    def put(self, offset: int, data: bytes, width: int) -> int | None:
        """Write leading elements up to the hole; return their count, or None if all fit."""
        if offset < 0 or (self.recorded and offset + len(data) > SIZE):
            return 0
        fits = min(len(data), max(0, SIZE - offset)) // width * width
        self.held[offset : offset + fits] = data[:fits]
        return None if fits == len(data) else fits // width


def packed(values: list[int]) -> bytes:
    return array("Q", values).tobytes()


def write_pointers(model: Model, session: Session) -> None:
    values = model.values(model.chance.choice([4, 40, 1200]))
    offset = model.place(8 * len(values))
    via: Any = model.chance.choice(["WritePointersVirtual", "WriteVirtual", "auto"])
    forms: list[Any] = [list, lambda v: array("Q", v), packed]
    source = model.chance.choice(forms)(values)
    landed = model.put(offset, packed(values), 8)
    try:
        written = session.write_pointers(
            model.base + offset, source, via=via, verify=model.chance.random() < 0.3
        )
    except TargetAccessError as error:
        assert error.written == landed
    else:
        assert landed is None
        assert written == len(values)


def write_bytes(model: Model, session: Session) -> None:
    data = model.chance.randbytes(model.chance.choice([1, 7, 100, 5000]))
    offset = model.place(len(data))
    landed = model.put(offset, data, 1)
    try:
        session.write(model.base + offset, data)
    except TargetAccessError as error:
        assert landed is not None
        held = bytes(model.held[max(offset, 0) : offset + len(data)])
        while offset >= 0 and landed < min(len(held), len(data)) and held[landed] == data[landed]:
            landed += 1  # by chance the target holds that byte already
        assert error.written == landed
    else:
        assert landed is None


def write_scattered(model: Model, session: Session) -> None:
    """Write with duplicates and overlaps; the later value counts."""
    values = model.values(300)
    step = model.chance.choice([1, 8])
    offsets = [model.chance.randrange(0, SIZE - 8) // step * step for _ in values]
    for offset, value in zip(offsets, values, strict=True):
        model.held[offset : offset + 8] = value.to_bytes(8, "little")
    written = session.write_scattered(
        [model.base + each for each in offsets],
        values,
        verify=model.chance.random() < 0.3,
        spans=model.chance.random() < 0.7,
    )
    assert written == len(values)


def expect(model: Model, session: Session) -> None:
    """Write with right expectations, or with wrong ones, after which nothing is written."""
    values = model.values(50)
    size = 8 * len(values)
    offset = model.chance.randrange(0, SIZE - size)
    expected = array("Q", bytes(model.held[offset : offset + size]))
    wrong = model.chance.random() < 0.5
    if wrong:
        expected[model.chance.randrange(len(expected))] ^= 1 << model.chance.randrange(64)
    try:
        session.write_pointers(model.base + offset, values, expect=expected)
    except ExpectationError as error:
        assert wrong
        assert error.written == 0
    else:
        assert not wrong
        model.put(offset, packed(values), 8)


def fill(model: Model, session: Session) -> None:
    filler = model.chance.randbytes(model.chance.randrange(1, 9))
    size = model.chance.randrange(1, 3 * PAGE)
    offset = model.chance.randrange(0, SIZE - size)
    assert session.data_spaces.fill_virtual(model.base + offset, size, filler) == size
    model.put(offset, (filler * size)[:size], 1)


def read(model: Model, session: Session) -> None:
    size = model.chance.randrange(8, 2 * PAGE)
    offset = model.chance.randrange(0, SIZE - size)
    address, held = model.base + offset, bytes(model.held[offset : offset + size])
    assert session.read(address, size) == held
    assert session.read_pointers(address, size // 8).tobytes() == held[: size // 8 * 8]
    bulk = session.read_pointers(address, size // 8, via="ReadVirtual")
    assert bulk.tobytes() == held[: size // 8 * 8]
    places = [model.chance.randrange(0, SIZE - 8) for _ in range(20)]
    assert session.read_scattered([model.base + each for each in places]).tobytes() == b"".join(
        bytes(model.held[each : each + 8]) for each in places
    )


WRITES = (write_pointers, write_bytes, write_scattered, expect)


def rolled_back(model: Model, session: Session) -> None:
    """A transaction that fails leaves the memory unchanged."""
    before = bytes(model.held)
    model.recorded = True
    with pytest.raises(ZeroDivisionError) as caught, session.transaction():
        for _ in range(model.chance.randrange(1, 5)):
            model.chance.choice(WRITES)(model, session)
        raise ZeroDivisionError
    report = getattr(caught.value, "undo_report")  # noqa: B009
    assert report.complete
    assert not report.conflicts
    model.held[:] = before
    model.recorded = False


def committed(model: Model, session: Session) -> None:
    model.recorded = True
    with session.transaction():
        for _ in range(model.chance.randrange(1, 5)):
            model.chance.choice(WRITES)(model, session)
    model.recorded = False


OPERATIONS = (*WRITES, fill, read, rolled_back, committed)


def test_random_operations(chance: random.Random, profile: str) -> None:
    with Child64(anyone=True) as child:
        model = Model(child.areas["rw"], chance)
        for number in rounds(profile, quick=12, seconds=45):
            suspend = chance.random() < 0.7
            with pydbgwrite.attach(child.pid, suspend=suspend) as session:
                for step in range(30):
                    operation = chance.choice(OPERATIONS)
                    operation(model, session)
                    held = session.read(model.base, SIZE)
                    assert held == model.held, (number, step, operation.__name__, suspend)
            assert child.read(model.base, SIZE) == model.held
