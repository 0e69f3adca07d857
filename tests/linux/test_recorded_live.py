"""Recorded writes on live Linux processes, by as many processors as are idle."""

from __future__ import annotations

import os
import random
import signal
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.child import PAGE, pattern
from support.limits import limited
from support.processes import Child32, Child64, LiveChild

import pydbgwrite
from pydbgwrite import JournalError, NoTargetError, TargetAccessError
from pydbgwrite._core import RECORD_BYTES, RECORDS_IN_MEMORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

PAGES = 1024  # twice as many as a processor begins to share
SIZE = PAGES * PAGE
COUNT = 20_000


@pytest.fixture(scope="module")
def child() -> Iterator[Child64]:
    with Child64(PAGES) as started:
        yield started


@pytest.fixture(scope="module")
def narrow() -> Iterator[Child32]:
    with Child32(SIZE) as started:
        yield started


def some_pointers(child: LiveChild, chance: random.Random) -> tuple[array[int], array[int]]:
    """Return addresses of whole pointers, some of them twice or overlapping, and values."""
    width = child.pointer_size
    start = child.areas["rw"]
    pages = [page for page in range(PAGES) if page % 3]
    places = [
        start + chance.choice(pages) * PAGE + chance.randrange(PAGE - width + 1)
        for _ in range(COUNT - 100)
    ]
    places += chance.choices(places, k=100)
    limit = 2 ** (8 * width)
    return array("Q", places), array("Q", [chance.randrange(limit) for _ in places])


def after(image: bytes, start: int, addresses: array[int], values: array[int], width: int) -> bytes:
    """Return the memory after these writes in their order."""
    memory = bytearray(image)
    for address, value in zip(addresses, values, strict=True):
        memory[address - start : address - start + width] = value.to_bytes(width, "little")
    return bytes(memory)


@pytest.mark.parametrize("bits", [64, 32])
def test_scattered_pointers_are_recorded_as_they_are_written(
    bits: int, request: pytest.FixtureRequest
) -> None:
    """Each element's former contents are in the record, and an undo restores every byte."""
    child: LiveChild = request.getfixturevalue("child" if bits == 64 else "narrow")
    width, start = child.pointer_size, child.areas["rw"]
    addresses, values = some_pointers(child, random.Random(bits))
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with session.transaction() as t:
            assert session.write_scattered(addresses, values) == COUNT
            assert session.read(start, SIZE) == after(image, start, addresses, values, width)
            (change,) = t.changes
            assert change.addresses is not None
            assert sorted(zip(addresses, values, strict=True)) == sorted(
                (address, int.from_bytes(change.new[at : at + width], "little"))
                for address, at in zip(
                    change.addresses, range(0, len(change.new), width), strict=True
                )
            )
            for address, at in zip(change.addresses, range(0, len(change.old), width), strict=True):
                place = address - start
                assert change.old[at : at + width] == image[place : place + width]
            assert t.undo().complete
            assert session.read(start, SIZE) == image


def test_records_that_leave_memory(child: Child64) -> None:
    """A write begins with its records in memory, and goes on with them in a temporary file."""
    addresses, values = some_pointers(child, random.Random(4))
    start = child.areas["rw"]
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with session.transaction() as t:
            while sum(len(change.new) for change in t.changes) * 3 <= RECORDS_IN_MEMORY:
                assert session.write_scattered(addresses, values) == COUNT
            assert session.read(start, SIZE) == after(image, start, addresses, values, 8)
            assert t.undo().complete
        assert session.read(start, SIZE) == image


def test_a_page_that_is_not_written_back_among_many(child: Child64) -> None:
    """All pointers are written and recorded in the other way, those before it twice."""
    addresses, values = some_pointers(child, random.Random(3))
    start, last = child.areas["rw"], child.areas["read_only"]
    addresses.append(last + 16)
    values.append(77)
    with pydbgwrite.attach(child.pid) as session:
        image, page = session.read(start, SIZE), session.read(last, PAGE)
        with session.transaction() as t:
            assert session.write_scattered(addresses, values) == COUNT + 1
            assert session.read(last + 16, 8) == (77).to_bytes(8, "little")
            assert session.read(start, SIZE) == after(image, start, addresses[:-1], values[:-1], 8)
            assert len(t.changes) == 2
            assert t.undo().complete
            assert (session.read(start, SIZE), session.read(last, PAGE)) == (image, page)


@pytest.mark.parametrize("place", [0, COUNT // 2, COUNT])
def test_an_address_that_is_not_mapped_among_many(child: Child64, place: int) -> None:
    """The leading pointers are counted, and what was written elsewhere is undone too."""
    addresses, values = some_pointers(child, random.Random(place))
    start = child.areas["rw"]
    addresses.insert(place, start + SIZE)
    values.insert(place, 1)
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with pytest.raises(TargetAccessError) as caught, session.transaction() as t:
            session.write_scattered(addresses, values)
        assert caught.value.index == place
        assert t.report is not None
        assert t.report.complete
        assert session.read(start, SIZE) == image


class Stop(Exception):  # noqa: N818
    """What progress raises."""


@pytest.mark.parametrize("after_calls", [1, 2])
def test_scattered_pointers_that_progress_stops(child: Child64, after_calls: int) -> None:
    """What was written until then is recorded, wherever it is."""
    start = child.areas["rw"]
    addresses, values = some_pointers(child, random.Random(after_calls))
    addresses, values = addresses * 14, values * 14  # two pieces: progress is called for each
    calls = 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == after_calls:
            raise Stop

    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with pytest.raises(Stop), session.transaction() as t:
            try:
                session.write_scattered(addresses, values, progress=progress)
            finally:
                assert session.read(start, SIZE) != image
        assert t.report is not None
        assert t.report.complete
        assert session.read(start, SIZE) == image


def test_a_running_target_is_recorded_in_order(child: Child64) -> None:
    """A target that runs gets pointers in the caller's order, recorded in that order."""
    addresses, values = some_pointers(child, random.Random(9))
    with pydbgwrite.attach(child.pid, suspend=False) as session:
        image = session.read(child.areas["rw"], SIZE)
        with session.transaction() as t:
            session.write_scattered(addresses, values)
            (change,) = t.changes
            assert change.addresses == addresses
            assert t.undo().complete
        assert session.read(child.areas["rw"], SIZE) == image
    assert image == pattern(SIZE)


def many_pointers() -> array[int]:
    """Return as many as the child has room for: several records."""
    return array("Q", random.Random(5).randbytes(SIZE))


@pytest.mark.parametrize("bits", [64, 32])
def test_a_journal_is_written_beside_the_target(
    bits: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Its records are complete and in order, and another session restores every byte."""
    child: LiveChild = request.getfixturevalue("child" if bits == 64 else "narrow")
    width, start, file = child.pointer_size, child.areas["rw"], tmp_path / "a.journal"
    values = many_pointers()[: SIZE // width]
    if bits == 32:
        values = array("Q", [value % 2**32 for value in values])
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with session.transaction(file) as t:
            assert session.write_pointers(start, values) == len(values)
            assert session.read_pointers(start, len(values)) == values
            assert b"".join(change.old for change in t.changes) == image[: len(values) * width]
            places = range(start, start + len(values) * width, RECORD_BYTES)
            assert [change.address for change in t.changes] == list(places)
        assert pydbgwrite.read_journal(file).state == "committed"
    with pydbgwrite.attach(child.pid) as session:
        assert pydbgwrite.undo(file, session).complete
        assert session.read(start, SIZE) == image


@pytest.mark.parametrize("after_calls", [1, 2, 3, 4])
def test_a_journal_of_a_write_that_progress_stops(
    child: Child64, tmp_path: Path, after_calls: int
) -> None:
    """Ctrl-C between any two pieces: what is in the file is undone, and its end is not torn."""
    start, file, calls = child.areas["rw"], tmp_path / "a.journal", 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == after_calls:
            signal.raise_signal(signal.SIGINT)

    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with pytest.raises(KeyboardInterrupt) as caught, session.transaction(file) as t:
            try:
                session.write_pointers(start, many_pointers(), progress=progress)
            finally:
                held = session.read(start, SIZE)
        past = caught.value.written * 8  # type: ignore[attr-defined]
        assert past > 0
        assert held == many_pointers().tobytes()[:past] + image[past:]
        assert t.report is not None
        assert t.report.complete
        assert session.read(start, SIZE) == image
    info = pydbgwrite.read_journal(file)
    assert (info.state, info.torn) == ("undone", False)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("records", [0.5, 1.0, 1.5, 2.5, 3.5])
def test_a_disk_that_fills_within_a_write(
    child: Child64, tmp_path: Path, records: float, durable: bool
) -> None:
    """Pieces whose records are whole are written, none behind them, and all are undone."""
    start, file = child.areas["rw"], tmp_path / "a.journal"
    values = many_pointers()
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with (
            pytest.raises(JournalError) as caught,
            session.transaction(file, durable=durable) as t,
            limited(int(records * 2 * RECORD_BYTES)),
        ):
            try:
                session.write_pointers(start, values)
            except JournalError:
                # The header takes room as well. What shares a sync is all recorded, or none.
                whole = 0 if durable else (int(records * 2) - 1) // 2
                assert len(t.changes) == whole
                past = whole * RECORD_BYTES
                assert session.read(start, SIZE) == values.tobytes()[:past] + image[past:]
                raise
        assert isinstance(caught.value.__cause__, OSError)
        assert t.report is not None
        assert t.report.complete
        assert session.read(start, SIZE) == image
    info = pydbgwrite.read_journal(file)
    assert (info.state, info.torn) == ("undone", False)


def test_a_journal_of_a_write_that_leaves_the_mapping(child: Child64, tmp_path: Path) -> None:
    """The pieces before the unmapped page are written and counted, then undone."""
    start, file = child.areas["rw"], tmp_path / "a.journal"
    begin = start + RECORD_BYTES // 2  # the mapping ends in the middle of a piece
    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with pytest.raises(TargetAccessError) as caught, session.transaction(file) as t:
            try:
                session.write_pointers(begin, many_pointers())
            except TargetAccessError:
                assert len(t.changes) == SIZE // RECORD_BYTES - 1
                raise
        assert caught.value.written == (SIZE // RECORD_BYTES - 1) * RECORD_BYTES // 8
        assert t.report is not None
        assert t.report.complete
        assert session.read(start, SIZE) == image


@pytest.mark.parametrize("after_calls", [1, 2])
def test_a_target_that_dies_while_it_is_written(tmp_path: Path, after_calls: int) -> None:
    """The write and the undo end, and the journal has every record whose write began."""
    file, calls = tmp_path / "a.journal", 0
    with Child64(PAGES) as child:
        start = child.areas["rw"]

        def progress(done: int, total: int) -> None:
            nonlocal calls
            calls += 1
            if calls == after_calls:
                child.kill()

        with pydbgwrite.attach(child.pid) as session:
            with pytest.raises(NoTargetError), session.transaction(file) as t:
                session.write_pointers(start, many_pointers(), progress=progress)
            assert t.report is not None
            assert not t.report.complete
    info = pydbgwrite.read_journal(file)
    assert not info.torn
    assert info.writes >= 1


def test_a_fork_while_the_journal_is_written(child: Child64, tmp_path: Path) -> None:
    """The child's call raises, and its parent's journal is as if there were no child."""
    start, file = child.areas["rw"], tmp_path / "a.journal"
    children: list[int] = []
    us = os.getpid()

    def progress(done: int, total: int) -> None:
        if done < total and os.getpid() == us:
            children.append(os.fork())

    with pydbgwrite.attach(child.pid) as session:
        image = session.read(start, SIZE)
        with session.transaction(file):
            try:
                session.write_pointers(start, many_pointers(), progress=progress)
            except BaseException as error:
                if os.getpid() != us:
                    os._exit(17 if "fork" in str(error) else 1)
                raise
            if os.getpid() != us:
                os._exit(2)
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [17] * len(
            children
        )
        assert children
        assert session.read(start, SIZE) == many_pointers().tobytes()
        assert pydbgwrite.read_journal(file).state == "committed"
        assert pydbgwrite.undo(file, session).complete
        assert session.read(start, SIZE) == image
