"""The cost of an undo with many conflicts: memory is bounded, work grows with the writes."""

from __future__ import annotations

import random
import sys
import tempfile
import tracemalloc
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pydbgwrite
from pydbgwrite import simulate
from pydbgwrite._journal.spool import KEPT_IN_MEMORY
from pydbgwrite._transactions.ranges import Conflicts

BASE = 0x100000
LARGE = 32 << 20


@pytest.mark.parametrize("force", [False, True])
def test_memory_where_everything_conflicts(tmp_path: Path, force: bool) -> None:
    """Memory is bounded if every byte of a large write is neither the old nor the written one."""
    journal = tmp_path / "x.journal"
    conflicting = (bytes(range(1, 252)) * (LARGE // 251 + 1))[:LARGE]
    with simulate([(BASE, LARGE)]) as session:
        with session.transaction(journal):
            session.write(BASE, b"\xff" * LARGE)
        session.write(BASE, conflicting)
        tracemalloc.start()
        try:
            report = pydbgwrite.undo(journal, session, force=force)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (report.restored, report.complete) == (LARGE if force else 0, force)
        assert len(report.conflicts) == 100
        for each in report.conflicts:
            at = each.address - BASE
            assert each.found == conflicting[at : at + len(each.found)]
            assert each.written == b"\xff" * len(each.found)
        assert session.read(BASE, LARGE) == (bytes(LARGE) if force else conflicting)
    assert peak < KEPT_IN_MEMORY + (16 << 20)


def test_conflicts_where_no_disk_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no temporary file can be made, the found bytes stay in memory and the undo completes."""
    size = 2 * KEPT_IN_MEMORY
    journal = tmp_path / "x.journal"
    with simulate([(BASE, size)]) as session:
        with session.transaction(journal):
            session.write(BASE, b"\xff" * size)
        session.write(BASE + 8, b"\x55" * (size - 8))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
        report = pydbgwrite.undo(journal, session, force=True)
        assert (report.complete, report.restored) == (True, size)
        assert report.conflict_total == (size - 8) // 8
        assert {each.found for each in report.conflicts} == {b"\x55" * 8}
        assert session.read(BASE, size) == bytes(size)


def calls_of_a_second_undo(writes: int, journal: Path) -> int:
    """Return how many functions a second undo calls after many overlapping scattered writes."""
    chance = random.Random(writes)
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    with simulate([(BASE, 1 << 20)]) as session:
        with session.transaction(journal):
            for _ in range(writes):
                places = [BASE + 8 * chance.randrange(1 << 17) for _ in range(50)]
                session.write_scattered(places, [chance.getrandbits(60) for _ in places])
                session.write_pointers(places[0] & ~0xFF, [chance.getrandbits(60)] * 30)
        assert pydbgwrite.undo(journal, session).complete
        was = sys.getprofile()
        sys.setprofile(count)
        try:
            again = pydbgwrite.undo(journal, session)
        finally:
            sys.setprofile(was)
        assert (again.complete, again.restored) == (True, 0)
    return calls


def test_work_of_a_second_undo(tmp_path: Path) -> None:
    """Four times as many writes take less than six times as many function calls."""
    few = calls_of_a_second_undo(200, tmp_path / "few.journal")
    many = calls_of_a_second_undo(800, tmp_path / "many.journal")
    assert many < 6 * few


def test_conflicts_at_the_end_of_memory(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    end = 2**64
    with simulate([(end - 4096, 4096)]) as session:
        with session.transaction(journal):
            session.write_pointers(end - 32, [1, 2, 3, 4])
        session.write_pointers(end - 16, [7, 8])
        report = pydbgwrite.undo(journal, session)
        assert [each.address for each in report.conflicts] == [end - 16, end - 8]
        assert pydbgwrite.undo(journal, session, force=True).complete
        assert session.read(end - 32, 32) == bytes(32)


def test_conflicts_of_many_records(tmp_path: Path) -> None:
    """Records are read again for their conflicts, some at a time."""
    journal = tmp_path / "x.journal"
    places = range(BASE, BASE + 20 * 64, 64)
    with simulate([(BASE, 4096)]) as session:
        with session.transaction(journal):
            for each in places:
                session.write_pointers(each, [each])
        for each in places:
            session.write_pointers(each, [7])
        report = pydbgwrite.undo(journal, session)
    shown = [(each.address, int.from_bytes(each.written, "little")) for each in report.conflicts]
    assert shown == [(each, each) for each in places]


PLACES = st.integers(0, 2_000)
ROOM = 2_100
STEPS = st.one_of(
    st.tuples(st.sampled_from(["cut", "put"]), st.lists(PLACES, max_size=6), st.integers(1, 300)),
    st.tuples(
        st.sampled_from(["cut elements", "put elements"]),
        st.one_of(
            st.lists(PLACES, max_size=20),
            st.builds(lambda start, step: [*range(start, 2_000, step)], PLACES, st.integers(3, 12)),
            st.randoms().map(lambda chance: chance.sample(range(2_000), 300)),
        ),
        st.sampled_from([1, 4, 8]),
    ),
)


@given(st.lists(STEPS, max_size=12), st.sampled_from([0, 2**64 - ROOM - 300]))
def test_conflicts_against_a_model(steps: list[tuple[str, list[int], int]], base: int) -> None:
    """The map of found bytes holds the same at each address as a dictionary."""
    conflicts = Conflicts()
    model: dict[int, tuple[int, int]] = {}  # address: the record, and the byte found
    for record, (what, offsets, size) in enumerate(steps):
        places = [base + each for each in offsets]
        found = bytes((7 * record + i) % 256 for i in range(size * len(places)))
        if what == "cut elements":
            conflicts.cut_elements(array("Q", places), size)
        elif what == "put elements":
            conflicts.put_elements(
                memoryview(array("Q", places)).cast("B"), memoryview(found), size, record
            )
        for i, start in enumerate(places):
            span = range(start, start + size)
            if what == "cut":
                conflicts.cut(start, size)
            elif what == "put":
                here = memoryview(found)[size * i : size * i + size]
                conflicts.put_runs(start - 3, [(3, 3 + size)], here, 1, record)
            if what.startswith("cut"):
                for each in span:
                    model.pop(each, None)
            elif all(model.get(each, (record,))[0] == record for each in span):
                for at, each in enumerate(span):
                    model.setdefault(each, (record, found[size * i + at]))
    ranges = conflicts.first(len(model))
    reported = {
        each.start + at: (each.record, byte)
        for each in ranges
        for at, byte in enumerate(conflicts.found(each))
    }
    assert reported == model
    assert [*reported] == sorted(reported)
    assert bool(conflicts) == bool(model)
    sizes = [
        each.size // each.unit
        if each.unit > 1 and not each.size % each.unit
        else -(-each.size // 64)
        for each in ranges
    ]
    assert conflicts.pieces(64) == sum(sizes)
    assert all(each in ranges for each in conflicts.parts())
    elements = array("Q", range(base + 700, base + 1_100, 8))
    parts = conflicts.within_elements(elements, 8)
    assert all(elements[i] <= at < at + len(here) <= elements[i] + 8 for i, at, here in parts)
    within = conflicts.within(base + 700, 400)
    assert b"".join(here for _, _, here in parts) == b"".join(here for _, here in within)
    for start, found in within:
        assert base + 700 <= start < start + len(found) <= base + 1_100
        assert [model.pop(start + at)[1] for at in range(len(found))] == [*found]
    assert not any(base + 700 <= each < base + 1_100 for each in model)
