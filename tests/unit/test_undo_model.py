"""Undo against a model: overlapping writes that end at any point, undone in any number of parts."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.child import pattern

import pydbgwrite
from pydbgwrite import Session, simulate, testing
from pydbgwrite.errors import DebugEngineError

BASE, SIZE = 0x10000, 256

Write = tuple[str, Any, list[int]]

PLACES = st.integers(0, SIZE - 8)
VALUES = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 0x7F00_0000_0000, 2**64 - 1])
WRITES = st.one_of(
    st.tuples(st.just("pointers"), PLACES, st.lists(VALUES, min_size=1, max_size=6)),
    st.tuples(st.just("bytes"), PLACES, st.lists(st.integers(0, 255), min_size=1, max_size=20)),
    st.lists(st.tuples(PLACES, VALUES), min_size=1, max_size=12).map(
        lambda pairs: ("scattered", [place for place, _ in pairs], [value for _, value in pairs])
    ),
)


def opened() -> Session:
    """Open simulated memory that holds a pattern."""
    session = simulate([(BASE, SIZE), (0x20000, 64)])
    session.write(BASE, pattern(SIZE))
    return session


def do(session: Session, write: Write) -> None:
    """Make one write, cut off at the end of memory."""
    kind, where, values = write
    if kind == "pointers":
        session.write_pointers(BASE + where, values[: (SIZE - where) // 8])
    elif kind == "bytes":
        session.write(BASE + where, bytes(values)[: SIZE - where])
    else:
        session.write_scattered([BASE + each for each in where], values)


def now(session: Session) -> bytes:
    return session.read(BASE, SIZE)


class Killed(Exception):  # noqa: N818
    """An exception that ends a transaction or an undo, as a kill does for the journal."""


@given(st.lists(WRITES, max_size=8))
def test_all_is_undone(writes: list[Write]) -> None:
    with opened() as session:
        with pytest.raises(Killed), session.transaction() as t:
            for write in writes:
                do(session, write)
            raise Killed
        assert t.report is not None
        assert t.report.complete
        assert now(session) == pattern(SIZE)


@given(
    st.lists(WRITES, min_size=1, max_size=8),
    st.integers(0, SIZE - 1),
    st.integers(0, 6),
    st.lists(st.integers(0, 8), max_size=3),
)
def test_a_fault_and_interrupted_undos(
    writes: list[Write], bad: int, after: int, stops: list[int]
) -> None:
    """After a write that fails half-way and interrupted undos, one undo restores every byte."""
    with tempfile.TemporaryDirectory() as folder, opened() as session:
        journal = Path(folder) / "a.journal"
        with session.transaction(journal):
            testing.fail_writes(session, BASE + bad, after=after)
            for write in writes:
                with contextlib.suppress(DebugEngineError):
                    do(session, write)
        testing.clear(session)
        for stop in stops:

            def progress(done: int, total: int, stop: int = stop) -> None:
                if done > stop:
                    raise Killed

            try:
                pydbgwrite.undo(journal, session, progress=progress)
            except Killed as killed:
                assert killed.undo_report.remaining or killed.undo_report.complete  # type: ignore[attr-defined]
        report = pydbgwrite.undo(journal, session)
        assert report.complete, str(report)
        assert now(session) == pattern(SIZE)
        again = pydbgwrite.undo(journal, session)
        assert again.complete, str(again)
        assert again.restored == 0
        assert now(session) == pattern(SIZE)


@given(
    st.lists(WRITES, min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_what_strangers_wrote(writes: list[Write], pokes: list[tuple[int, int]]) -> None:
    """Each byte is the old one or another writer's, whose place is reported; force restores all."""
    with tempfile.TemporaryDirectory() as folder, opened() as session:
        journal = Path(folder) / "a.journal"
        with session.transaction(journal):
            for write in writes:
                do(session, write)
        written = now(session)
        for place, value in pokes:
            session.write(BASE + place, bytes([value]))
        poked = now(session)
        report = pydbgwrite.undo(journal, session)
        assert not report.remaining
        reported = {
            conflict.address - BASE + offset: conflict.found[offset]
            for conflict in report.conflicts
            for offset in range(len(conflict.found))
        }
        for place, byte in enumerate(now(session)):
            if byte != pattern(SIZE)[place]:
                # It is unchanged and its place is reported, or the transaction did not change it.
                assert reported.get(place, poked[place]) == byte
                assert place in reported or written[place] == pattern(SIZE)[place]
        assert report.complete == (not reported)
        forced = pydbgwrite.undo(journal, session, force=True)
        assert forced.complete
        for place, byte in enumerate(now(session)):
            if byte != pattern(SIZE)[place]:
                assert written[place] == pattern(SIZE)[place] != poked[place]
