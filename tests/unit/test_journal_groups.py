"""Durable journals: records that are in the file before any of their writes share a sync."""

from __future__ import annotations

import errno
import os
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.limits import limited

import pydbgwrite
from pydbgwrite import JournalError, Session, TargetAccessError, simulate, testing
from pydbgwrite._core import RECORD_BYTES, RECORD_BYTES_SCATTERED

BASE, SIZE = 0x100000, 4 * RECORD_BYTES
SYNC = "fdatasync" if hasattr(os, "fdatasync") else "fsync"


@pytest.fixture
def target() -> Iterator[Session]:
    """Open memory that holds zeros."""
    with simulate([(BASE, SIZE)]) as session:
        yield session


@pytest.fixture
def on_sync(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Return a list of functions; each sync of a journal takes the next one and calls it."""
    actions: list[Callable[[], object]] = []
    real = getattr(os, SYNC)

    def sync(descriptor: int) -> None:
        real(descriptor)
        if actions:
            actions.pop(0)()

    monkeypatch.setattr(os, SYNC, sync)
    return actions


def pattern(count: int, start: int = 1) -> array[int]:
    return array("Q", range(start, start + count))


def test_a_long_write_is_synced_once(
    target: Session, tmp_path: Path, on_sync: list[Callable[[], object]]
) -> None:
    """All of its records are in the file before its first byte is written."""
    file = tmp_path / "a.journal"
    seen: list[tuple[int, bool]] = []
    other = pydbgwrite.wrap(target._interface_address())
    values = pattern(SIZE // 8)

    def look() -> None:
        copy = tmp_path / "copy"
        copy.write_bytes(file.read_bytes())
        seen.append((pydbgwrite.read_journal(copy).writes, any(other.read(BASE, SIZE))))

    with other, target.transaction(file, durable=True) as t:
        on_sync[:] = [look] * 3
        assert target.write_pointers(BASE, values) == len(values)
        assert [each.new for each in t.changes] == [
            values.tobytes()[at : at + RECORD_BYTES] for at in range(0, SIZE, RECORD_BYTES)
        ]
        on_sync.clear()
    assert seen == [(4, False)]
    assert target.read_pointers(BASE, len(values)) == values
    assert pydbgwrite.undo(file, target).complete
    assert not any(target.read(BASE, SIZE))


def test_without_a_sync_each_record_comes_before_its_write(target: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    testing.fail_writes(target, BASE + RECORD_BYTES + 80)
    with pytest.raises(TargetAccessError), target.transaction(file, durable=False) as t:
        try:
            target.write_pointers(BASE, pattern(SIZE // 8))
        finally:
            assert len(t.changes) == 2
    testing.clear(target)
    assert not any(target.read(BASE, SIZE))


@pytest.mark.parametrize("written", [0, 1, RECORD_BYTES - 4, RECORD_BYTES + 4, SIZE - 3, SIZE])
def test_a_script_that_is_killed_within_a_group(
    target: Session, tmp_path: Path, on_sync: list[Callable[[], object]], written: int
) -> None:
    """Each record of the last group can be cut short anywhere, in the middle of a pointer too."""
    file, killed = tmp_path / "a.journal", tmp_path / "killed.journal"
    old, new = pattern(SIZE // 8, 2**60), pattern(SIZE // 8, 2**61)
    target.write_pointers(BASE, old)
    on_sync.append(lambda: None)  # of the header
    on_sync.append(lambda: killed.write_bytes(file.read_bytes()))
    with target.transaction(file, durable=True):
        target.write_pointers(BASE, new)
    target.write(BASE, new.tobytes()[:written] + old.tobytes()[written:])
    report = pydbgwrite.undo(killed, target)
    assert report.complete
    assert not report.conflicts
    assert target.read_pointers(BASE, len(old)) == old


def test_a_finished_group_is_not_cut_short(target: Session, tmp_path: Path) -> None:
    """A pointer that is half somebody else's is a conflict once a later record follows."""
    file = tmp_path / "a.journal"
    with target.transaction(file, durable=True):
        target.write_pointers(BASE, array("Q", [2**64 - 1]) * (SIZE // 8))
        target.write(BASE, b"\xff")
    target.write(BASE + 8, bytes(4))
    report = pydbgwrite.undo(file, target)
    assert [each.address for each in report.conflicts] == [BASE + 8]


def test_memory_that_can_not_be_read_in_the_middle(target: Session, tmp_path: Path) -> None:
    """What is recorded before it is written, and counted."""
    testing.fail_reads(target, BASE + 2 * RECORD_BYTES + 80)
    file = tmp_path / "a.journal"
    with target.transaction(file, durable=True) as t:
        with pytest.raises(TargetAccessError) as caught:
            target.write_pointers(BASE, pattern(SIZE // 8))
        assert caught.value.written == 2 * RECORD_BYTES // 8
        assert caught.value.index == 2 * RECORD_BYTES // 8 + 10
        assert len(t.changes) == 2
    testing.clear(target)
    held = pattern(2 * RECORD_BYTES // 8).tobytes() + bytes(SIZE - 2 * RECORD_BYTES)
    assert target.read(BASE, SIZE) == held
    assert pydbgwrite.undo(file, target).complete
    assert not any(target.read(BASE, SIZE))


@pytest.mark.parametrize("size", [8, 4])
@pytest.mark.parametrize("scattered", [False, True])
def test_both_pointer_sizes(tmp_path: Path, size: int, scattered: bool) -> None:
    """Several pieces in each group, of narrow pointers too, of which one is sign-extended."""
    count = (RECORD_BYTES_SCATTERED if scattered else RECORD_BYTES) // size + 3
    values = pattern(count)
    values[count // 2] = 2**64 - 1
    file = tmp_path / "a.journal"
    with simulate([(BASE, size * count)], pointer_size=size) as session:
        with session.transaction(file, durable=True) as t:
            if scattered:
                places = range(BASE + size * (count - 1), BASE - 1, -size)
                session.write_scattered(places, values)
            else:
                session.write_pointers(BASE, values)
            assert len(t.changes) == 2
        held = session.read_pointers(BASE, count)
        wanted = values[::-1] if scattered else values
        assert held == array("Q", (each & (2 ** (8 * size) - 1) for each in wanted))
        assert pydbgwrite.undo(file, session).complete
        assert not any(session.read(BASE, size * count))


def test_a_write_that_fails_in_the_middle_of_a_group(target: Session, tmp_path: Path) -> None:
    testing.fail_writes(target, BASE + RECORD_BYTES + 81)
    file = tmp_path / "a.journal"
    with target.transaction(file, durable=True) as t:
        with pytest.raises(TargetAccessError) as caught:
            target.write_pointers(BASE, pattern(SIZE // 8))
        assert caught.value.written == RECORD_BYTES // 8 + 10
        assert len(t.changes) == 4
    testing.clear(target)
    assert pydbgwrite.undo(file, target).complete
    assert not any(target.read(BASE, SIZE))


@pytest.mark.parametrize("sync", [0, 1])
def test_a_disk_that_fails(
    target: Session, tmp_path: Path, on_sync: list[Callable[[], object]], sync: int
) -> None:
    """Nothing of the group is written, and the journal takes no more, though syncs work again."""

    def fail() -> None:
        raise OSError(errno.EIO, "the disk is broken")

    file = tmp_path / "a.journal"
    with (
        pytest.raises(JournalError, match="failed before") as last,
        target.transaction(file, durable=True) as t,
    ):
        on_sync[:] = [lambda: None] * sync + [fail]
        for _ in range(sync):
            target.write(BASE, b"before")
        with pytest.raises(JournalError, match="could not be synced") as caught:
            target.write_pointers(BASE + 8, pattern(SIZE // 8 - 1))
        assert vars(caught.value)["written"] == 0
        assert not any(target.read(BASE + 8, SIZE - 8))
        target.write(BASE, b"after")
    assert isinstance(last.value.__cause__, OSError)
    assert t.report is not None
    assert t.report.complete
    assert not any(target.read(BASE, SIZE))


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")
@pytest.mark.parametrize("room", [0, 40, RECORD_BYTES, 2 * RECORD_BYTES + 100, 5 * RECORD_BYTES])
def test_a_disk_that_is_full_in_the_middle_of_a_group(
    target: Session, tmp_path: Path, room: int
) -> None:
    """Nothing of the group is written, though some of its records are in the file."""
    file = tmp_path / "a.journal"
    with target.transaction(file, durable=True) as t:
        target.write(BASE, b"before")
        with limited(file.stat().st_size + room):
            with pytest.raises(JournalError, match="too large") as caught:
                target.write_pointers(BASE + 8, pattern(SIZE // 8 - 1))
            assert vars(caught.value)["written"] == 0
            assert not any(target.read(BASE + 8, SIZE - 8))
            killed = tmp_path / "killed.journal"
        killed.write_bytes(file.read_bytes())
        assert len(t.changes) == 1
        target.write(BASE + 16, b"after")
    info = pydbgwrite.read_journal(file)
    assert (info.state, info.writes) == ("committed", 2)
    assert target.read(BASE, 24) == b"before".ljust(16, b"\0") + b"after".ljust(8, b"\0")
    target.write(BASE + 16, bytes(5))
    assert pydbgwrite.undo(killed, target).complete
    assert not any(target.read(BASE, SIZE))
