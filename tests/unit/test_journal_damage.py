"""Damaged journals: cut at any byte, with a flipped bit, reordered, of other versions.

The undo either is correct, or writes nothing and raises an error that names damage and place.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.child import pattern

import pydbgwrite
from pydbgwrite import JournalError, Session, simulate
from pydbgwrite._journal import format as form

V2 = form.FRAMINGS[2]
BASE, SIZE = 0x10000, 0x1000
IMAGE = pattern(SIZE)
#: The writes of a transaction; they do not overlap.
STEPS: tuple[Callable[[Session], object], ...] = (
    lambda s: s.write_pointers(BASE, [1, 2]),
    lambda s: s.write_scattered([BASE + 0x200, BASE + 0x100], [3, 4]),
    lambda s: s.write(BASE + 0x300, b"five"),
)


@pytest.fixture
def target() -> Iterator[Session]:
    with simulate([(BASE, SIZE)]) as session:
        session.write(BASE, IMAGE)
        yield session


def image_after(steps: int) -> bytes:
    """Return the bytes of the target after that many steps."""
    with simulate([(BASE, SIZE)]) as session:
        session.write(BASE, IMAGE)
        for step in STEPS[:steps]:
            step(session)
        return session.read(BASE, SIZE)


IMAGES = [image_after(steps) for steps in range(len(STEPS) + 1)]


def left_by(undone: int) -> bytes:
    """Return the bytes of the target after all steps, with the first ones undone."""
    left = bytearray(IMAGES[-1])
    for at in range(SIZE):
        if IMAGES[undone][at] != IMAGE[at]:
            left[at] = IMAGE[at]
    return bytes(left)


def journal_of(target: Session, file: Path, *, committed: bool) -> tuple[bytes, list[int]]:
    """Return the bytes of a journal whose writes are in the target, and the end of each record."""
    ends = []
    with target.transaction(file):
        ends.append(file.stat().st_size)
        for step in STEPS:
            step(target)
            ends.append(file.stat().st_size)
        open_one = file.read_bytes()
    data = file.read_bytes() if committed else open_one
    file.unlink()
    return data, ends


def refill(target: Session) -> None:
    """Give the target the bytes that it has after all steps."""
    target.write(BASE, IMAGES[-1])


def frames(data: bytes) -> list[bytes]:
    """Return the first bytes of a journal, and its records."""
    parts, at = [data[:16]], 16
    while at < len(data):
        length = struct.unpack_from("<Q", data, at + 16)[0]
        parts.append(data[at : at + 32 + length + -length % 8 + 16])
        at += len(parts[-1])
    return parts


def refused(target: Session, file: Path, data: bytes) -> str:
    """Check that these bytes are refused and nothing is written. Return the message."""
    file.write_bytes(data)
    refill(target)
    with pytest.raises(JournalError) as caught:
        pydbgwrite.undo(file, target)
    with pytest.raises(JournalError):
        pydbgwrite.read_journal(file)
    assert target.read(BASE, SIZE) == IMAGES[-1]
    assert file.read_bytes() == data
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_cut_at_every_byte(target: Session, tmp_path: Path) -> None:
    """Complete records are undone. The write of an incomplete record has never begun."""
    file = tmp_path / "a.journal"
    data, ends = journal_of(target, file, committed=True)
    for size in range(len(data)):
        if size < ends[0]:
            words = refused(target, file, data[:size])
            assert "nothing to undo" in words
            continue
        file.write_bytes(data[:size])
        refill(target)
        whole = sum(end <= size for end in ends) - 1
        info = pydbgwrite.read_journal(file)
        assert (info.writes, info.torn, info.state) == (whole, size not in ends, "open")
        report = pydbgwrite.undo(file, target)
        assert report.complete
        assert report.torn == info.torn
        assert target.read(BASE, SIZE) == left_by(whole)
        info = pydbgwrite.read_journal(file)  # the marks replace the torn record
        assert (info.writes, info.torn, info.state) == (whole, False, "undone")
        assert pydbgwrite.undo(file, target).complete


def test_every_flipped_bit(target: Session, tmp_path: Path, profile: str) -> None:
    file = tmp_path / "a.journal"
    data, _ = journal_of(target, file, committed=True)
    assert len(data) < 2000
    chance = random.Random(7)
    for at in range(len(data)):
        for bit in range(8) if profile == "full" else [chance.randrange(8)]:
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            words = refused(target, file, bytes(damaged))
            assert "damaged" in words
    file.write_bytes(data)
    refill(target)
    assert pydbgwrite.undo(file, target).complete
    assert target.read(BASE, SIZE) == IMAGE


def test_records_left_out_moved_or_of_another_journal(target: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    data, _ = journal_of(target, file, committed=True)
    other, _ = journal_of(target, file, committed=True)
    parts, others = frames(data), frames(other)
    assert b"".join(parts) == data
    assert len(parts) == 6
    for at in range(1, len(parts) - 1):
        assert "damaged" in refused(target, file, b"".join(parts[:at] + parts[at + 1 :]))
        swapped = [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]
        assert "damaged" in refused(target, file, b"".join(swapped))
        twice = [*parts[: at + 1], parts[at], *parts[at + 1 :]]
        assert "damaged" in refused(target, file, b"".join(twice))
    for at in range(2, len(parts)):
        mixed = [*parts[:at], others[at], *parts[at + 1 :]]
        assert "damaged" in refused(target, file, b"".join(mixed))


def test_the_offset_is_named(target: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    data, ends = journal_of(target, file, committed=True)
    damaged = bytearray(data)
    damaged[ends[0] + 40] ^= 1
    words = refused(target, file, bytes(damaged))
    assert f"at byte {ends[0]:,}" in words
    assert "Nothing was written" in words


def test_blocks_that_never_reached_the_disk(target: Session, tmp_path: Path) -> None:
    """A machine crash can leave zeros at the end: the write of that record has never begun."""
    file = tmp_path / "a.journal"
    data, ends = journal_of(target, file, committed=False)
    last = ends[3] - ends[2]
    for zeros in (8, 16, last - 34, last - 24, last - 8, last):
        file.write_bytes(data[:-zeros] + bytes(zeros))
        refill(target)
        report = pydbgwrite.undo(file, target)
        assert report.torn
        assert report.complete
        assert target.read(BASE, SIZE) == left_by(2)
    file.write_bytes(data + bytes(5000))
    refill(target)
    assert pydbgwrite.undo(file, target).torn
    assert target.read(BASE, SIZE) == IMAGE
    # Zeros in the middle are damage.
    middle = data[: ends[1]] + bytes(ends[2] - ends[1]) + data[ends[2] :]
    assert "damaged" in refused(target, file, middle)


def test_other_versions_and_other_files(target: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    data, _ = journal_of(target, file, committed=True)
    for version, word in ((0, "older"), (3, "newer")):
        head = data[:8] + struct.pack("<I", version)
        words = refused(target, file, head + struct.pack("<I", zlib.crc32(head)) + data[16:])
        assert word in words
        assert str(version) in words
    assert "not a journal" in refused(target, file, b"format = 1\n[[write]]\n")
    assert "not a journal" in refused(target, file, bytes(4096))
    assert "nothing to undo" in refused(target, file, b"")
    for size in range(1, 8):  # cut within the first bytes, which are also damaged
        assert "first 16 bytes" in refused(target, file, data[:8] + b"\xff" * size)


def test_an_empty_transaction(target: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with target.transaction(file):
        pass
    info = pydbgwrite.read_journal(file)
    assert (info.state, info.writes, info.bytes) == ("committed", 0, 0)
    report = pydbgwrite.undo(file, target)
    assert report.complete
    assert (report.restored, report.unchanged) == (0, 0)


@pytest.mark.parametrize(
    "header",
    [
        b'{"created": []}',
        b'{"created": 1e999}',
        b'{"pointer_size": NaN}',
        b'{"pid": "1"}',
        b'{"pid": -1}',
        b'{"base": 18446744073709551616}',
        b'{"program": 7}',
        b"[" * 100_000,
        b'{"id":' * 100_000,
        b"\xff",
    ],
)
def test_a_header_that_makes_no_sense(target: Session, tmp_path: Path, header: bytes) -> None:
    """A header with invalid content is refused even if its checksums are correct."""
    record, _ = V2.encode(form.HEADER, 0, 0, V2.begin(), [header])
    assert "header" in refused(target, tmp_path / "journal", V2.file_head() + record)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (form.WRITE, struct.pack("<3Q", 2**64 - 4, 1, 2)),
        (form.SCATTERED, struct.pack("<7Q", 2, BASE, 2**64 - 7, 1, 2, 3, 4)),
    ],
    ids=["write", "scattered"],
)
def test_a_write_past_the_end_of_the_address_space(
    target: Session, tmp_path: Path, kind: int, payload: bytes
) -> None:
    first, chain = V2.encode(form.HEADER, 0, 0, V2.begin(), [b"{}"])
    second, _ = V2.encode(kind, 8, 1, chain, [payload])
    data = V2.file_head() + first + second
    assert "address space" in refused(target, tmp_path / "journal", data)
