"""Session._set_recorder: the bytes that a write replaces are recorded before the write."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from support.cases import EngineCase
from support.inputs import pointers
from support.recorder import Recorder, forget, record

from pydbgwrite import PointerRangeError, Session, TargetAccessError, _core, simulate, testing

RECORD_BYTES = _core.RECORD_BYTES


@pytest.fixture
def large() -> Iterator[Session]:
    """Yield a session on 9 MiB of simulated memory at 0x100000."""
    with simulate([(0x100000, 9 << 20)]) as session:
        yield session


def test_pointers(engine_case: EngineCase, recorder: Recorder) -> None:
    case, session = engine_case, engine_case.session
    values = case.values(100)
    record(session, recorder)
    assert session.write_pointers(case.rw + 3, values) == 100
    forget(session)
    size = 100 * case.pointer_size
    image = case.image()
    assert recorder.changes == [
        (case.rw + 3, bytes(image[3 : 3 + size]), case.pack(values), case.pointer_size)
    ]
    assert recorder.cuts == 0
    image[3 : 3 + size] = case.pack(values)
    assert session.read(case.rw, case.rw_size) == image
    recorder.undo(session)
    assert case.peek(case.rw, case.rw_size) == case.image()


@pytest.mark.parametrize("via", ["WritePointersVirtual", "WriteVirtual", "auto"])
def test_strided_pointers_by_every_way(
    engine_case: EngineCase, recorder: Recorder, via: Any
) -> None:
    case, session = engine_case, engine_case.session
    values = array("Q", case.values(64))
    record(session, recorder)
    session.write_pointers(case.rw, memoryview(values)[::-2], via=via)
    forget(session)
    wanted = case.pack(list(values)[::-2])
    assert [change[2] for change in recorder.changes] == [wanted]
    assert session.read(case.rw, len(wanted)) == wanted
    recorder.undo(session)
    assert session.read(case.rw, case.rw_size) == case.image()


def test_bytes(engine_case: EngineCase, recorder: Recorder) -> None:
    case, session = engine_case, engine_case.session
    record(session, recorder)
    assert session.write(case.rw + 5, b"seventeen bytes..") == 17
    forget(session)
    assert recorder.changes == [(case.rw + 5, bytes(case.image()[5:22]), b"seventeen bytes..", 1)]
    assert session.read(case.rw + 5, 17) == b"seventeen bytes.."


def test_scattered_with_duplicates_and_overlaps(
    engine_case: EngineCase, recorder: Recorder
) -> None:
    case, session = engine_case, engine_case.session
    width = case.pointer_size
    offsets = [64, 0, 64, 2, 128, 0, 1024, 64 + width, 3, 256, 264, 272]
    addresses = [case.rw + offset for offset in offsets]
    values = case.values(len(offsets))
    record(session, recorder)
    assert session.write_scattered(addresses, values) == len(offsets)
    forget(session)
    image = case.image()
    old = b"".join(bytes(image[offset : offset + width]) for offset in offsets)
    # The record keeps the caller's order; all of `old` is from before the first write.
    assert recorder.changes == [(array("Q", addresses).tobytes(), old, case.pack(values), width)]
    for offset, value in zip(offsets, values, strict=True):
        image[offset : offset + width] = case.pack([value])
    assert session.read(case.rw, case.rw_size) == image
    recorder.undo(session)
    assert session.read(case.rw, case.rw_size) == case.image()


def test_nothing_is_recorded_of_nothing(engine_case: EngineCase, recorder: Recorder) -> None:
    case, session = engine_case, engine_case.session
    record(session, recorder)
    assert session.write_pointers(case.rw, []) == 0
    assert session.write_scattered([], []) == 0
    assert session.write(case.rw, b"") == 0
    forget(session)
    assert recorder.changes == []


def test_a_record_comes_before_its_write(session: Session, recorder: Recorder) -> None:
    testing.fail_writes(session, 0x10010)
    record(session, recorder)
    with pytest.raises(TargetAccessError):
        session.write_pointers(0x10000, [1, 2, 3])
    forget(session)
    assert [change[2] for change in recorder.changes] == [array("Q", [1, 2, 3]).tobytes()]
    assert recorder.cuts == 1
    testing.clear(session)
    assert session.read(0x10000, 24) == array("Q", [1, 2, 0]).tobytes()


def test_pieces(large: Session, recorder: Recorder) -> None:
    """The pieces have the expected bounds; progress and the result cover the whole call."""
    each = RECORD_BYTES // 8
    values = pointers(3 * each + 7)
    seen: list[tuple[int, int]] = []
    record(large, recorder)
    count = large.write_pointers(0x100000, values, progress=lambda *step: seen.append(step))
    assert count == len(values)
    assert [len(change[1]) for change in recorder.changes] == [RECORD_BYTES] * 3 + [56]
    assert [change[0] for change in recorder.changes] == [
        0x100000 + RECORD_BYTES * piece for piece in range(4)
    ]
    assert b"".join(change[2] for change in recorder.changes) == values.tobytes()
    assert {total for _, total in seen} == {len(values)}
    steps = [done for done, _ in seen]
    assert steps == sorted(set(steps))
    assert steps[-1] == len(values)
    assert set(range(each, len(values), each)) <= set(steps)
    assert large.read(0x100000, 8 * len(values)) == values.tobytes()


def test_pieces_of_scattered_ones(large: Session, recorder: Recorder) -> None:
    each = _core.RECORD_BYTES_SCATTERED // 8
    count = 2 * each + 5
    addresses = array("Q", range(0x100000, 0x100000 + 16 * count, 16))
    addresses[-1] = addresses[0]  # the last piece overwrites a pointer of the first
    values = pointers(count)
    seen: list[tuple[int, int]] = []
    record(large, recorder)
    large.write_scattered(addresses, values, progress=lambda *step: seen.append(step))
    forget(large)
    assert [len(change[1]) for change in recorder.changes] == [8 * each] * 2 + [40]
    assert b"".join(bytes(change[0]) for change in recorder.changes) == addresses.tobytes()
    assert recorder.changes[2][1][-8:] == values[:1].tobytes()
    assert seen[-1] == (count, count)
    assert large.read_scattered(addresses[1:]) == values[1:]


def test_pieces_of_bytes(large: Session, recorder: Recorder) -> None:
    data = pointers(3 * RECORD_BYTES // 8).tobytes() + b"end"
    seen: list[tuple[int, int]] = []
    record(large, recorder)
    assert large.write(0x100001, data, progress=lambda *step: seen.append(step)) == len(data)
    assert [len(change[1]) for change in recorder.changes] == [RECORD_BYTES] * 3 + [3]
    assert {change[3] for change in recorder.changes} == {1}
    assert seen[-1] == (len(data), len(data))
    assert large.read(0x100001, len(data)) == data


def test_pieces_of_narrow_pointers(recorder: Recorder) -> None:
    count = RECORD_BYTES // 4 + 3
    values = array("Q", ((0x9E3779B1 * index) % 2**32 for index in range(count)))
    values[1] = 2**64 - 1  # sign-extended
    with simulate([(0x100000, 2 << 20)], pointer_size=4) as session:
        record(session, recorder)
        session.write_pointers(0x100000, values)
        assert [(len(change[1]), len(change[2]), change[3]) for change in recorder.changes] == [
            (RECORD_BYTES, RECORD_BYTES, 4),
            (12, 12, 4),
        ]
        assert recorder.changes[0][2][4:8] == b"\xff\xff\xff\xff"
        wanted = array("I", (value & 0xFFFFFFFF for value in values)).tobytes()
        assert session.read(0x100000, 4 * count) == wanted
        forget(session)


@pytest.mark.parametrize("wide_at", [0, RECORD_BYTES // 4 + 1])
def test_a_value_too_wide_is_found_before_the_first_record(
    recorder: Recorder, wide_at: int
) -> None:
    values = array("Q", bytes(8 * (RECORD_BYTES // 4 + 2)))
    values[wide_at] = 2**40
    with simulate([(0x100000, 2 << 20)], pointer_size=4) as session:
        record(session, recorder)
        with pytest.raises(PointerRangeError) as caught:
            session.write_pointers(0x100000, values)
        assert caught.value.index == wide_at
        assert caught.value.written == 0
        with pytest.raises(PointerRangeError):
            session.write_scattered(list(range(0x100000, 0x100008, 4)), [1, 2**40])
        assert recorder.changes == []
        assert session.write_pointers(0x100000, values, truncate=True) == len(values)
        assert len(recorder.changes) == 2
        forget(session)
