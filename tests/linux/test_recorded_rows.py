"""Rows of pointers and bytes that idle processors record and write, on live Linux processes."""

from __future__ import annotations

import random
import sys
import threading
from array import array
from collections.abc import Iterator

import pytest
from support.child import PAGE
from support.processes import Child32, Child64, LiveChild

import pydbgwrite
from pydbgwrite import ExpectationError, NoTargetError
from pydbgwrite._core import RECORD_BYTES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

PAGES = 1024  # twice as many as a processor begins to share
SIZE = PAGES * PAGE


@pytest.fixture(scope="module")
def child() -> Iterator[Child64]:
    with Child64(PAGES) as started:
        yield started


@pytest.fixture(scope="module")
def narrow() -> Iterator[Child32]:
    with Child32(SIZE) as started:
        yield started


def pointers(size: int, bits: int = 64) -> array[int]:
    """Return as many as take these bytes of the target."""
    made = array("Q", random.Random(size).randbytes(size * 64 // bits))
    return made if bits == 64 else array("Q", [value >> 32 for value in made])


@pytest.mark.parametrize("offset", [0, 8, PAGE - 8, 8 * 77 + 3])
@pytest.mark.parametrize("kind", ["64", "32", "bytes"])
def test_a_row_is_recorded_as_it_is_written(
    kind: str, offset: int, request: pytest.FixtureRequest
) -> None:
    """Records are in order and complete, neighbours keep their bytes, and an undo restores all."""
    child: LiveChild = request.getfixturevalue("narrow" if kind == "32" else "child")
    start, size = child.areas["rw"] + offset, SIZE - PAGE
    values = pointers(size, 32 if kind == "32" else 64)
    fresh = (array("I", values) if kind == "32" else values).tobytes()
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start - offset, SIZE)
        with session.transaction() as t:
            if kind == "bytes":
                assert session.write(start, fresh) == size
            else:
                assert session.write_pointers(start, values) == len(values)
            assert session.read(start - offset, SIZE) == (
                image[:offset] + fresh + image[offset + size :]
            )
            assert b"".join(change.old for change in t.changes) == image[offset : offset + size]
            assert b"".join(change.new for change in t.changes) == fresh
            assert t.changes[0].address == start
            assert all(len(change.old) <= RECORD_BYTES for change in t.changes)
            assert t.undo().complete
        assert session.read(start - offset, SIZE) == image


def test_rows_beyond_what_memory_may_hold(child: Child64) -> None:
    """Records that are in memory stay there until there are too many; then a file takes all."""
    start, values = child.areas["rw"], pointers(SIZE)
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with session.transaction() as t:
            for turn in range(4):
                session.write_pointers(start + 8 * turn, values[: len(values) - turn])
            assert session.read_pointers(start + 24, len(values) - 3) == values[:-3]
            assert t.undo().complete
        assert session.read(start, SIZE) == image


@pytest.mark.parametrize("wrong", [None, 0, SIZE // 16, SIZE // 8 - 1])
def test_a_row_with_what_is_expected(child: Child64, wrong: int | None) -> None:
    """All is compared before the first pointer is written, whichever processor reads it."""
    start, values = child.areas["rw"], pointers(SIZE)
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        expected = array("Q", image)
        if wrong is not None:
            expected[wrong] ^= 1
        with session.transaction() as t:
            if wrong is None:
                session.write_pointers(start, values, expect=expected, verify=True)
                assert session.read(start, SIZE) == values.tobytes()
                assert b"".join(change.old for change in t.changes) == image
            else:
                with pytest.raises(ExpectationError) as caught:
                    session.write_pointers(start, values, expect=expected)
                assert [each.address for each in caught.value.mismatches] == [start + 8 * wrong]
                assert not t.changes
            assert t.undo().complete
        assert session.read(start, SIZE) == image


def test_a_target_that_dies_while_processors_write_it(profile: str) -> None:
    """Killed at any moment, the call and the undo end, and nothing counts as restored."""
    chance, values = random.Random(1), pointers(SIZE)
    for _ in range(100 if profile == "full" else 4):
        with Child64(PAGES) as child, pydbgwrite.attach(child.pid) as session:
            start = child.areas["rw"]
            timer = threading.Timer(chance.random() * 0.004, child.kill)
            with pytest.raises(NoTargetError), session.transaction() as t:
                session.write_pointers(start, values)
                timer.start()
                while True:
                    session.write_pointers(start, values)
            timer.join()
            assert t.report is not None
            assert not t.report.complete
            assert t.report.restored == 0
