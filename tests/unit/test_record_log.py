"""The log of records itself: what it counts, what it refuses, and where its memory ends."""

from __future__ import annotations

import random
import struct
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.limits import limited

from pydbgwrite._core import RECORDS_IN_MEMORY, RecordLog
from pydbgwrite._journal.format import (
    COMMITTED,
    CUT_SHORT,
    FRAMINGS,
    JOINED,
    SCATTERED,
    SETTLED,
    UNDOING,
    UNDONE,
    WRITE,
)
from pydbgwrite._journal.log import JournalLog
from pydbgwrite._reports import Change
from pydbgwrite.errors import JournalError

V2 = FRAMINGS[2]


@pytest.fixture
def in_memory() -> Iterator[RecordLog]:
    log = RecordLog(None, -1, "memory")
    yield log
    log.close()


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[JournalLog]:
    log = JournalLog(open(tmp_path / "journal", "x+b", buffering=0), "a journal")  # noqa: SIM115
    log.begin({"id": "1"})
    yield log
    log.close()


def frames(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, unit, number and payload of each record."""
    at = 0
    while at < len(data):
        kind, unit, number, length = struct.unpack_from("<IIQQ", data, at)
        yield kind, unit, number, data[at + 32 : at + 32 + length]
        at += 32 + length + -length % 8 + 16
    assert at == len(data)


def test_c_frames_as_python_does(in_file: JournalLog) -> None:
    """Records that C has framed are those that Python would write, byte for byte."""
    chance = random.Random(3)
    records, wanted = in_file.records, []
    for size in (0, 1, 7, 8, 9, 63, 64, 65, 1000):
        payload = chance.randbytes(size)
        record, chain = V2.encode(WRITE, 8, records.number, records.chain, [payload])
        start = records.end
        records.add(WRITE, 8, payload, size)
        assert records.read(start, 10_000) == record
        assert (records.chain, records.end) == (chain, start + len(record))
        wanted.append(record)
    file = records.file
    assert file is not None
    file.seek(0)
    assert file.read().endswith(b"".join(wanted))


def test_what_marks_say(in_memory: RecordLog) -> None:
    log = in_memory
    log.add(WRITE, 8, bytes(8), 100)
    log.add(WRITE, 8, bytes(8), 20)
    log.add(WRITE | JOINED, 8, bytes(8), 3)
    assert (len(log), log.recorded_bytes, log.number, log.first) == (3, 123, 3, 0)
    assert [log.is_cut(each) for each in range(3)] == [False, True, True]
    log.owes_cut = True
    log.add(WRITE, 1, bytes(9), 4)  # brings the mark along
    assert not log.owes_cut
    assert [kind for kind, *_ in frames(log.read(0, log.end))] == [
        *(WRITE, WRITE, WRITE | JOINED, CUT_SHORT, WRITE)
    ]
    log.add(COMMITTED, 0, b"", 0)
    assert log.committed
    assert [log.is_cut(each) for each in range(4)] == [False, True, True, False]
    log.add(UNDOING, 0, b"", 0)
    log.add(SETTLED, 0, bytes(8), 2)
    assert log.undoing
    assert [log.is_settled(each) for each in range(4)] == [False, False, True, False]
    log.add(UNDONE, 0, b"", 0)
    assert (log.undone, log.undoing, log.first) == (True, False, 4)
    log.add(WRITE, 8, bytes(8), 1)
    assert (log.undone, log.first, len(log)) == (False, 4, 5)


def test_what_is_refused(in_memory: RecordLog, in_file: JournalLog) -> None:
    for log in (in_memory, in_file.records):
        count, end = log.number, log.end
        for index in (0, 2**30):
            with pytest.raises(IndexError):
                log.add(SETTLED, 0, bytes(8), index)
            for call in (log.is_cut, log.is_settled):
                with pytest.raises(IndexError):
                    call(index)
        with pytest.raises(IndexError):
            log.take(SETTLED, 5, log.end, 0)
        with pytest.raises(TypeError):
            log.add(WRITE, 8, "text", 0)  # type: ignore[arg-type]
        with pytest.raises((OverflowError, ValueError, TypeError)):
            log.is_cut(-1)
        log.broken = "the disk failed before (x)"
        with pytest.raises(OSError, match="failed before"):
            log.add(WRITE, 8, bytes(8), 8)
        log.broken = None
        assert (log.number, log.end, len(log)) == (count, end, 0)
    with pytest.raises(RuntimeError):
        in_file.records.move_to(None, -1)
    in_file.close()
    with pytest.raises(ValueError, match="closed"):
        in_file.records.add(WRITE, 8, bytes(8), 8)
    with pytest.raises(ValueError, match="closed"):
        in_file.records.read(0, 8)


@pytest.mark.parametrize("less", [0, 1, 8])
def test_the_last_byte_of_memory(in_memory: RecordLog, tmp_path: Path, less: int) -> None:
    """A record that fits exactly stays in memory; with the next one all move to a file."""
    log = in_memory
    chance = random.Random(less)
    first = chance.randbytes(RECORDS_IN_MEMORY // 2)
    log.add(WRITE, 1, first, len(first))
    rest = RECORDS_IN_MEMORY - log.end - 48 - less
    second = chance.randbytes(rest)
    log.add(WRITE, 1, second, rest)
    assert log.file is None
    assert log.end == RECORDS_IN_MEMORY - less // 8 * 8
    log.add(WRITE, 1, b"third", 5)
    assert log.file is not None
    assert [payload for *_, payload in frames(log.read(0, 2 * log.end))] == [
        first,
        second,
        b"third",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")
def test_a_temporary_file_that_takes_no_more(in_memory: RecordLog) -> None:
    """The record that does not fit does not count, and those before it are still there."""
    log = in_memory
    first = random.Random(1).randbytes(RECORDS_IN_MEMORY - 100)
    log.add(WRITE, 1, first, len(first))
    with limited(1 << 20), pytest.raises(OSError, match="too large"):
        log.add(WRITE, 1, bytes(100), 100)
    assert (len(log), log.file) == (1, None)
    log.add(WRITE, 1, bytes(100), 100)
    assert [payload for *_, payload in frames(log.read(0, log.end))] == [first, bytes(100)]


def test_a_file_that_somebody_else_changes(in_file: JournalLog) -> None:
    """What was checked before can be changed before it is loaded: sizes are checked again."""
    records = in_file.records
    records.add(WRITE, 8, struct.pack("<Q", 0x1000) + bytes(8) + b"12345678", 8)
    scattered = struct.pack("<3Q", 2, 0x3000, 0x2000) + bytes(8) + b"abcdefgh"
    start = records.end
    records.add(SCATTERED, 4, scattered, 8)
    assert in_file.load(0) == Change(0x1000, bytes(8), b"12345678", 8)
    addresses = array("Q", [0x3000, 0x2000])
    assert in_file.load(1) == Change(0x2000, bytes(8), b"abcdefgh", 4, addresses)
    file = records.file
    assert file is not None
    for at, value in ((4, 9), (16, 2**40), (16, 7), (32, 3), (32, 2**61)):
        file.seek(start + at)
        was = file.read(8)
        file.seek(start + at)
        file.write(struct.pack("<Q", value))
        with pytest.raises(JournalError, match="was changed"):
            in_file.load(1)
        file.seek(start + at)
        file.write(was)
    assert in_file.load(1).new == b"abcdefgh"
    file.truncate(records.end - 20)
    with pytest.raises(JournalError, match="was changed"):
        in_file.load(1)
    assert in_file.load(0).new == b"12345678"
    file.truncate(start + 8)
    with pytest.raises(JournalError, match="was changed"):
        in_file.load(1)
    assert len(records.read(start, 10_000)) == 8
    assert records.read(2**40, 8) == b""
    with pytest.raises(ValueError, match="head"):
        records.load(0, 4)
    with pytest.raises(IndexError):
        records.load(2, 32)
