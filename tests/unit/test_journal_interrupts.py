"""File and index agree after an exception between any two steps of the journal's code.

A signal handler can raise at any line of this code that is in Python: marks, and the sync of a
record that C has written. The tests raise at each line in turn, by tracing, and then compare the
state of the open transaction with the file.
"""

from __future__ import annotations

import itertools
import random
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.chance import chance, rounds

import pydbgwrite
from pydbgwrite import Session, _from_c
from pydbgwrite._journal import files, log
from pydbgwrite._journal.format import UNDOING

__all__ = ["chance"]

BASE = 0x10000
FILES = (log.__file__, _from_c.__file__)


class Pressed(BaseException):
    """The exception that the signal handler raises."""


@pytest.fixture
def target() -> Iterator[Session]:
    with pydbgwrite.simulate([(BASE, 0x3000)]) as session:
        yield session


def run_to_line(number: int, work: Callable[[], object]) -> bool:
    """Run `work`, raise Pressed at its line `number` of FILES. Return False if it has fewer."""
    left = number
    pressed = False

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left, pressed
        del argument
        # The garbage collector calls __del__ at any line, and no exception leaves __del__.
        if frame.f_code.co_filename not in FILES or frame.f_code.co_name == "__del__":
            return None
        if event == "line" and not pressed:
            left -= 1
            if left < 0:
                pressed = True
                raise Pressed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Pressed:
        assert pressed
    finally:
        sys.settrace(before)
    return pressed


def said_by(journal: log.JournalLog) -> list[object]:
    changes = [journal.load(index) for index in range(len(journal))]
    marks = [(journal.is_cut(index), journal.is_settled(index)) for index in range(len(journal))]
    return [changes, marks, journal.recorded_bytes, journal.state, journal.undoing, journal.first]


def scanned(path: Path) -> list[object]:
    read = files.open_to_read(path)
    try:
        assert not read.torn
        return said_by(read)
    finally:
        read.close()


def test_a_write_that_is_interrupted_anywhere(target: Session, tmp_path: Path) -> None:
    for number in itertools.count():
        path = tmp_path / f"{number}.journal"
        durable = target.transaction(path, durable=True)
        with pytest.raises(ZeroDivisionError), durable as transaction:
            target.write(BASE, b"before..")
            pressed = run_to_line(number, lambda: target.write(BASE + 0x1000, b"pressed."))
            target.write(BASE + 0x2000, b"after...")
            recorded = transaction._log
            assert recorded is not None
            assert said_by(recorded) == scanned(path)
            assert len(recorded) in (2, 3)
            raise ZeroDivisionError
        assert target.read(BASE, 0x3000) == bytes(0x3000)
        assert pydbgwrite.read_journal(path).state == "undone"
        if not pressed:
            break
    assert number > 3


@pytest.mark.parametrize("step", ["cut_short", "mark", "settle"])
def test_a_mark_that_is_interrupted_anywhere(target: Session, tmp_path: Path, step: str) -> None:
    for number in itertools.count():
        path = tmp_path / f"{number}.journal"
        with target.transaction(path) as transaction:
            target.write(BASE, b"12345678")
            target.write(BASE, b"abcdefgh")
            recorded = transaction._log
            assert recorded is not None
            arguments = {"cut_short": (), "mark": (UNDOING,), "settle": (1,)}[step]
            before = recorded.records.number
            pressed = run_to_line(number, partial(getattr(recorded, step), *arguments))
            was_cut = recorded.records.owes_cut or recorded.records.number > before
            target.write(BASE + 8, b"ABCDEFGH")
            assert said_by(recorded) == scanned(path)
            if step == "cut_short":
                assert recorded.is_cut(1) == was_cut
        target.write(BASE, bytes(16))
        if not pressed:
            break
    assert number > 3


def test_an_undo_that_is_killed_after_an_interrupted_write(target: Session, tmp_path: Path) -> None:
    """The journal alone is enough for an undo, at whichever line the write was interrupted."""
    for number in itertools.count():
        path = tmp_path / f"{number}.journal"
        transaction = target.transaction(path, durable=True)
        transaction.__enter__()
        pressed = run_to_line(number, lambda: target.write(BASE + 0x1000, b"BBBBBBBB"))
        target.write(BASE, b"AAAAAAAA")
        target.write(BASE + 0x2000, b"CCCCCCCC")
        kept = path.read_bytes()
        # Undo only the last record, as if the script were killed at this point.
        recorded = transaction._log
        assert recorded is not None
        recorded.mark(UNDOING)
        target._set_recorder(None, None)
        target.write(BASE + 0x2000, bytes(8))
        recorded.settle(len(recorded) - 1)
        killed = tmp_path / f"{number}.killed"
        killed.write_bytes(path.read_bytes())
        assert len(killed.read_bytes()) > len(kept)
        transaction._over("undone")
        report = pydbgwrite.undo(killed, target)
        assert report.complete
        assert not report.conflicts
        assert target.read(BASE, 0x3000) == bytes(0x3000)
        if not pressed:
            break
    assert number > 3


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="setitimer")
def test_signals_at_random_moments(
    target: Session, tmp_path: Path, chance: random.Random, profile: str
) -> None:
    """File and index agree after each transaction. An undo from only the file restores all."""
    inside = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal inside
        if inside:
            inside = False
            raise Pressed

    pressed = 0
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for number in rounds(profile, quick=12, seconds=20):
            path = tmp_path / f"{number}.journal"
            transaction = target.transaction(path)
            transaction.__enter__()
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + chance.random() * 0.0001, 0.0001)
            at = BASE
            while at < BASE + 0x2FF0:
                data = chance.randbytes(16)
                try:
                    inside = True
                    target.write(at, data)
                    inside = False
                except Pressed:
                    pressed += 1
                at += 16
            signal.setitimer(signal.ITIMER_REAL, 0)
            recorded = transaction._log
            assert recorded is not None
            kept = path.read_bytes()
            said = said_by(recorded)
            copy = tmp_path / "copy.journal"
            copy.write_bytes(kept[: recorded.records.end])
            assert said == scanned(copy)
            target._set_recorder(None, None)
            transaction._over("undone")  # as if the script had been killed
            report = pydbgwrite.undo(path, target)
            assert report.complete
            assert not report.conflicts
            assert target.read(BASE, 0x3000) == bytes(0x3000)
            path.unlink()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert pressed > 5
