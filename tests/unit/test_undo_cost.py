"""The cost of an undo with many conflicts: memory is bounded, work grows with the writes."""

from __future__ import annotations

import random
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pydbgwrite
from pydbgwrite import simulate
from pydbgwrite._journal.spool import KEPT_IN_MEMORY
from pydbgwrite._transactions import ranges as range_module

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
        assert report.conflict_total == (size - 8 + 63) // 64
        assert {each.found for each in report.conflicts} == {b"\x55" * 64}
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


SPANS = st.tuples(st.integers(0, 60), st.integers(1, 12))
STEPS = st.one_of(
    st.tuples(st.just("cut"), st.lists(SPANS, min_size=1, max_size=4)),
    st.tuples(st.just("put"), st.lists(SPANS, min_size=1, max_size=6)),
)


@given(st.lists(STEPS, max_size=12), st.integers(1, 3), st.sampled_from([0, 1, 16]))
def test_ranges_against_a_model(steps: list[tuple[str, Any]], chunk: int, many: int) -> None:
    """The map of found bytes holds the same value at each address as a dictionary."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_module, "_CHUNK", chunk)
        patch.setattr(range_module, "_MANY", many)
        ranges = range_module.RangeMap()
        model: dict[int, tuple[int, int]] = {}
        for record, (what, spans) in enumerate(steps):
            spans = sorted((start, start + size) for start, size in spans)
            if what == "cut":
                ranges.cut_all(spans)
                for start, end in spans:
                    for each in range(start, end):
                        model.pop(each, None)
                continue
            new: list[tuple[int, bytes, bool]] = []
            for start, end in spans:
                if not ranges.touches(start, end) and (
                    not new or new[-1][0] + len(new[-1][1]) <= start
                ):
                    new.append(
                        (start, bytes((record + each) % 256 for each in range(start, end)), True)
                    )
            ranges.put_all(new, record)
            for start, found, _ in new:
                model |= {start + at: (byte, record) for at, byte in enumerate(found)}
        reported = {
            each.start + at: (byte, each.record)
            for each in ranges
            for at, byte in enumerate(ranges.found(each))
        }
        assert reported == model
        assert [*reported] == sorted(reported)
        assert bool(ranges) == bool(model)
        for start, found in ranges.within(7, 40):
            assert 7 <= start < start + len(found) <= 40
            assert [model.pop(start + at)[0] for at in range(len(found))] == [*found]
        assert not any(7 <= each < 40 for each in model)
