"""Patches with a durable journal: the records of several entries share a sync."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.limits import limited

import pydbgwrite
from pydbgwrite import JournalError, Patch, PatchEntry, ScatteredEntry, Session, simulate

BASE, SIZE = 0x100000, 1 << 22
SYNC = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
#: The pointers of each entry: one or two, or so many that without a sync each entry is one write.
#: Together they take two records.
COUNTS = [1, 300, 5000, 2, *[60_000] * 5]


@pytest.fixture
def target() -> Iterator[Session]:
    """Open memory that holds zeros."""
    with simulate([(BASE, SIZE)]) as session:
        yield session


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Return the functions of which each sync takes the next one and calls it."""
    actions: list[Callable[[], object]] = []
    real = getattr(os, SYNC)

    def sync(descriptor: int) -> None:
        real(descriptor)
        actions.pop(0)()

    monkeypatch.setattr(os, SYNC, sync)
    return actions


def nothing() -> None:
    """Be called by a sync."""


def patch() -> tuple[Patch, bytes]:
    """Return a patch, and the memory after it."""
    memory, at = bytearray(SIZE), BASE + 8
    entries: list[PatchEntry | ScatteredEntry] = []
    for count in COUNTS:
        values = array("Q", range(at, at + count))
        entries.append(PatchEntry(at, values))
        memory[at - BASE : at - BASE + 8 * count] = values.tobytes()
        at += 8 * count + 40
    apart = array("Q", range(at, at + 1600, 16))
    entries.append(ScatteredEntry(apart, array("Q", [7]) * 100))
    for address in apart:
        memory[address - BASE : address - BASE + 8] = (7).to_bytes(8, "little")
    return Patch(entries), bytes(memory)


def test_the_entries_share_a_sync(
    target: Session, tmp_path: Path, syncs: list[Callable[[], object]]
) -> None:
    """All of their records are in the file before the first pointer is written."""
    made, memory = patch()
    file, seen = tmp_path / "a.journal", list[tuple[int, bool]]()
    other = pydbgwrite.wrap(target._interface_address())

    def look() -> None:
        copy = tmp_path / "copy"
        copy.write_bytes(file.read_bytes())
        seen.append((pydbgwrite.read_journal(copy).bytes, any(other.read(BASE, SIZE))))

    syncs[:] = [look, look, nothing]  # of the header, of the records, of the end
    with other:
        made.apply(target, journal=file, durable=True)
        assert not syncs
    assert seen == [(0, False), (8 * (sum(COUNTS) + 100), False)]
    assert target.read(BASE, SIZE) == memory
    syncs[:] = [nothing] * 9
    assert pydbgwrite.undo(file, target).complete
    assert not any(target.read(BASE, SIZE))


def test_without_a_sync_large_entries_are_writes_of_their_own(
    target: Session, tmp_path: Path
) -> None:
    """Nothing is gained there, and a row is written faster than pointers at separate addresses."""
    made, memory = patch()
    file = tmp_path / "a.journal"
    assert made.apply(target, journal=file, durable=False) == sum(COUNTS) + 100
    assert pydbgwrite.read_journal(file).writes >= 7
    assert target.read(BASE, SIZE) == memory


@pytest.mark.parametrize("written", [0, 12, 8 * 300 + 61, SIZE // 2 + 3, SIZE])
def test_a_script_that_is_killed_between_the_sync_and_the_last_write(
    target: Session, tmp_path: Path, syncs: list[Callable[[], object]], written: int
) -> None:
    """The journal has everything, so an undo restores every byte."""
    made, _ = patch()
    before = array("Q", range(2**60, 2**60 + SIZE // 8)).tobytes()
    target.write(BASE, before)
    file, killed = tmp_path / "a.journal", tmp_path / "killed.journal"
    syncs[:] = [nothing, lambda: killed.write_bytes(file.read_bytes()), nothing]
    made.apply(target, journal=file, durable=True)
    after = target.read(BASE, SIZE)
    assert after != before
    target.write(BASE, after[:written] + before[written:])
    syncs[:] = [nothing] * 9
    report = pydbgwrite.undo(killed, target)
    assert report.complete
    assert not report.conflicts
    assert target.read(BASE, SIZE) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
@pytest.mark.parametrize("room", [0, 4000, 5 << 20, 13 << 19])
def test_a_disk_that_fills_within_the_records(
    target: Session, tmp_path: Path, syncs: list[Callable[[], object]], room: int
) -> None:
    """No entry is written."""
    made, _ = patch()
    file = tmp_path / "a.journal"
    syncs[:] = [nothing] * 9
    with limited(1000 + room), pytest.raises(JournalError, match="too large"):
        made.apply(target, journal=file, durable=True)
    assert not any(target.read(BASE, SIZE))
    info = pydbgwrite.read_journal(file)
    assert info.writes == 0
