"""via=: WriteVirtual and ReadVirtual give the same results as the direct pointer calls."""

from __future__ import annotations

import os
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import EngineCase

import pydbgwrite
from pydbgwrite import DebugEngineError, PointerRangeError, Session, testing

WRITES = ["WritePointersVirtual", "WriteVirtual", "auto"]
READS = ["ReadPointersVirtual", "ReadVirtual", "auto"]
BASE = 0x10000
SIZE = 0x1000


@pytest.mark.parametrize("via", WRITES)
@pytest.mark.parametrize("offset", [0, 1, 4, 8])
def test_every_way_writes_the_same(engine_case: EngineCase, via: Any, offset: int) -> None:
    count = (engine_case.rw_size - offset) // engine_case.pointer_size
    if offset:  # one full write is enough if each pointer is a network round trip
        count = min(count, 16 * engine_case.most)
    values = engine_case.values(count)
    image = engine_case.image()
    image[offset : offset + count * engine_case.pointer_size] = engine_case.pack(values)
    assert engine_case.session.write_pointers(engine_case.rw + offset, values, via=via) == count
    assert engine_case.peek(engine_case.rw, engine_case.rw_size) == image


@pytest.mark.parametrize("via", WRITES)
@pytest.mark.parametrize("offset", [0, 1, 3, 4, 7])
def test_every_way_stops_at_the_end(engine_case: EngineCase, via: Any, offset: int) -> None:
    """The pointer across the end of the mapping keeps all its bytes."""
    width = engine_case.pointer_size
    start = engine_case.end - 20 * width - offset
    image = engine_case.image()
    values = engine_case.values(40)
    with pytest.raises(DebugEngineError) as caught:
        engine_case.session.write_pointers(start, values, via=via)
    fits = 20 + offset // width
    assert (caught.value.written, caught.value.index) == (fits, fits)
    assert caught.value.hresult in engine_case.unmapped_write
    at = start - engine_case.rw
    image[at : at + fits * width] = engine_case.pack(values[:fits])
    assert engine_case.peek(engine_case.rw, engine_case.rw_size) == image


@pytest.mark.parametrize("via", READS)
@pytest.mark.parametrize("offset", [0, 3])
def test_every_way_reads_the_same(engine_case: EngineCase, via: Any, offset: int) -> None:
    width = engine_case.pointer_size
    image = bytes(engine_case.image())
    count = (len(image) - offset) // width
    wanted = [
        int.from_bytes(image[offset + i * width : offset + (i + 1) * width], "little")
        for i in range(count)
    ]
    assert (
        list(engine_case.session.read_pointers(engine_case.rw + offset, count, via=via)) == wanted
    )
    with pytest.raises(DebugEngineError) as caught:
        engine_case.session.read_pointers(engine_case.rw + offset, count + 1, via=via)
    assert caught.value.index == count


@pytest.mark.parametrize("via", ["writevirtual", "", "ReadVirtual"])
def test_an_unknown_way(session: Session, via: Any) -> None:
    with pytest.raises(ValueError, match=r"'WritePointersVirtual', 'WriteVirtual' or 'auto'"):
        session.write_pointers(BASE, [1], via=via)
    assert session.read(BASE, 8) == bytes(8)


@pytest.mark.parametrize("via", ["readvirtual", "WriteVirtual"])
def test_an_unknown_way_to_read(session: Session, via: Any) -> None:
    with pytest.raises(ValueError, match=r"'ReadPointersVirtual', 'ReadVirtual' or 'auto'"):
        session.read_pointers(BASE, 1, via=via)


def test_via_is_a_str(session: Session) -> None:
    way: Any = 7
    with pytest.raises(TypeError, match="via must be a str"):
        session.write_pointers(BASE, [1], via=way)


def test_the_threshold_is_exported() -> None:
    assert pydbgwrite.BULK_THRESHOLD_POINTERS >= 1


@pytest.mark.parametrize("via", WRITES)
def test_wide_values_are_found_before_anything_is_written(narrow: Session, via: Any) -> None:
    values = [1] * 3000
    values[2999] = 1 << 32
    with pytest.raises(PointerRangeError) as caught:
        narrow.write_pointers(BASE, values, via=via)
    assert (caught.value.index, caught.value.written) == (2999, 0)
    assert narrow.read(BASE, 12000) == bytes(12000)


@pytest.mark.parametrize("via", WRITES)
@pytest.mark.parametrize("stride", [1, 2, -1])
def test_strided_input(session: Session, narrow: Session, via: Any, stride: int) -> None:
    values = array("Q", range(1, 2001))
    for target in (session, narrow):
        wanted = values[::stride]
        assert target.write_pointers(BASE, memoryview(values)[::stride], via=via) == len(wanted)
        assert target.read_pointers(BASE, len(wanted)) == wanted


@pytest.mark.parametrize("via", WRITES)
def test_an_empty_array(session: Session, via: Any) -> None:
    assert session.write_pointers(BASE, [], via=via) == 0


@pytest.mark.parametrize("via", READS)
def test_reading_nothing(session: Session, via: Any) -> None:
    assert session.read_pointers(BASE, 0, via=via) == array("Q")


def outcome(
    via: Any, width: int, at: int, values: list[int], faults: list[int], limit: int, end: int
) -> tuple[object, bytes]:
    """Return a write's answer and the `end` bytes of memory with faults that it leaves."""
    with pydbgwrite.simulate([(BASE, end)], pointer_size=width) as session:
        session.write(BASE, bytes(i % 251 for i in range(end)))
        for fault in faults:
            testing.fail_writes(session, BASE + fault)
        testing.limit_transfers(session, limit)
        try:
            answer: object = session.write_pointers(BASE + at, values, via=via)
        except DebugEngineError as error:
            answer = (type(error), error.written, error.index, error.address, error.count)
        testing.clear(session)
        return answer, session.read(BASE, end)


@given(
    width=st.sampled_from([4, 8]),
    at=st.integers(0, 40),
    count=st.integers(0, 60),
    faults=st.lists(st.integers(0, 300), max_size=2),
    limit=st.sampled_from([0, 9, 13, 64, 100]),
    end=st.integers(50, 400),
)
def test_bulk_does_what_direct_does(
    width: int, at: int, count: int, faults: list[int], limit: int, end: int
) -> None:
    values = [int.from_bytes(os.urandom(width), "little") for _ in range(count)]
    direct = outcome("WritePointersVirtual", width, at, values, faults, limit, end)
    assert outcome("WriteVirtual", width, at, values, faults, limit, end) == direct


@given(
    width=st.sampled_from([4, 8]),
    at=st.integers(0, 40),
    count=st.integers(0, 60),
    limit=st.sampled_from([0, 9, 64]),
    end=st.integers(50, 300),
)
def test_bulk_reads_what_direct_reads(
    width: int, at: int, count: int, limit: int, end: int
) -> None:
    with pydbgwrite.simulate([(BASE, end)], pointer_size=width) as session:
        session.write(BASE, os.urandom(end))
        testing.limit_transfers(session, limit)
        answers: list[object] = []
        for via in ("ReadPointersVirtual", "ReadVirtual"):
            way: Any = via
            try:
                answers.append(session.read_pointers(BASE + at, count, via=way))
            except DebugEngineError as error:
                answers.append((type(error), error.index))
        if limit == 0:
            assert answers[0] == answers[1]
        elif at + count * width <= end:
            assert len(session.read_pointers(BASE + at, count, via="ReadVirtual")) == count
