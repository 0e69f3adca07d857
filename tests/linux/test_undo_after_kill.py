"""SIGKILL ends a writing script at any moment: undo restores every byte of its target.

The script is a real process that writes into another one; the moments are drawn over its writing.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.child import PAGE, pattern
from support.killed_script import Script
from support.processes import Child64

import pydbgwrite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

SIZE = 4 << 20
IMAGE = pattern(SIZE)
DIGEST = hashlib.sha256(IMAGE).hexdigest()
#: The approximate size of the journal of a whole run, and its count of "." on stdout.
JOURNAL_BYTES, DOTS = 50 << 20, 600


@pytest.fixture(scope="module")
def child() -> Iterator[Child64]:
    """Yield the target of all these scripts; it outlives them."""
    with Child64(SIZE // PAGE) as started:
        yield started


def kill_a_writer(child: Child64, journal: Path, chance: random.Random) -> None:
    """Start a script, and kill it at a moment during its writing."""
    suspend = chance.random() < 0.5
    script = Script(child.pid, child.areas["rw"], SIZE, journal, chance.randrange(2**30), suspend)
    how = chance.randrange(3)
    if how == 0:
        script.kill_after_dots(chance.randrange(DOTS))
    elif how == 1:
        script.kill_at_size(journal, chance.randrange(JOURNAL_BYTES))
    else:
        script.kill_in(chance.randrange(400_000_000))


def held(child: Child64) -> bytes:
    """Return the bytes of the target that another session reads."""
    with pydbgwrite.attach(child.pid, suspend=False) as session:
        return session.read(child.areas["rw"], SIZE)


def undo(child: Child64, journal: Path, chance: random.Random) -> pydbgwrite.UndoReport:
    with pydbgwrite.attach(child.pid, suspend=chance.random() < 0.5) as session:
        return pydbgwrite.undo(journal, session)


def assert_restored(child: Child64, report: pydbgwrite.UndoReport) -> None:
    assert report.complete, str(report)
    assert not report.conflicts
    assert not report.remaining
    assert held(child) == IMAGE
    assert child.digest(child.areas["rw"], SIZE) == DIGEST


def test_undo_after_sigkill(child: Child64, tmp_path: Path, profile: str) -> None:
    runs = 200 if profile == "full" else 10
    changed = torn = 0
    for run in range(runs):
        chance = random.Random(1000 + run)
        journal = tmp_path / f"{run}.journal"
        kill_a_writer(child, journal, chance)
        info = pydbgwrite.read_journal(journal)
        assert info.state == "open"
        torn += info.torn
        changed += held(child) != IMAGE
        assert_restored(child, undo(child, journal, chance))
        assert pydbgwrite.read_journal(journal).state == "undone"
        if run % 10 == 0:  # a second undo changes nothing; slow, as these writes overlap
            assert_restored(child, undo(child, journal, chance))
        journal.unlink()
    print(f"{runs} kills: the target had changed in {changed}, the journal was torn in {torn}")
    assert changed >= runs // 3


def test_an_undo_that_is_killed_itself(child: Child64, tmp_path: Path, profile: str) -> None:
    runs = 60 if profile == "full" else 6
    unfinished = 0
    for run in range(runs):
        chance = random.Random(9000 + run)
        journal = tmp_path / f"{run}.journal"
        kill_a_writer(child, journal, chance)
        for _ in range(chance.randrange(1, 3)):
            records = pydbgwrite.read_journal(journal).writes
            script = Script("undo", child.pid, journal, chance.random() < 0.5)
            if chance.random() < 0.5:
                script.kill_after_dots(chance.randrange(records + 1))
            else:
                script.kill_in(chance.randrange(150_000_000))
        unfinished += held(child) != IMAGE
        assert_restored(child, undo(child, journal, chance))
        journal.unlink()
    print(f"{runs} killed undos: the target was not restored yet in {unfinished}")
    assert unfinished >= runs // 6
