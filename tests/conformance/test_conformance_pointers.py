"""WritePointersVirtual and ReadPointersVirtual on every engine: order, failure, prefix, edges."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from support.cases import E_FAIL, READ_FAULT, EngineCase
from support.dbgeng import NARROW

import pydbgwrite
from pydbgwrite import TargetAccessError


def addresses_of_any_kind(case: EngineCase) -> list[int]:
    """Return valid, invalid and impossible addresses."""
    return [case.rw, case.rw + 3, case.end, case.read_only, case.none, 0, 2**63, 2**64 - 1]


def test_count_zero_is_ok_at_any_address(engine_case: EngineCase) -> None:
    session, spaces = engine_case.session, engine_case.session.data_spaces
    for address in addresses_of_any_kind(engine_case):
        assert session.write_pointers(address, []) == 0
        assert session.write_pointers(address, array("Q")) == 0
        assert session.read_pointers(address, 0) == array("Q")
        spaces.write_pointers_virtual(address, [])
        assert spaces.read_pointers_virtual(address, 0) == array("Q")
    assert engine_case.peek(engine_case.rw, engine_case.rw_size) == engine_case.image()


@pytest.mark.parametrize("count", [1, 2, 511, 1024])
def test_pointers_land_in_order(engine_case: EngineCase, count: int) -> None:
    case, image = engine_case, engine_case.image()
    count = min(count, case.most)
    values = case.values(count)
    assert case.session.write_pointers(case.rw + 64, array("Q", values)) == count
    assert case.session.read_pointers(case.rw + 64, count) == array("Q", values)
    assert case.session.data_spaces.read_pointers_virtual(case.rw + 64, count) == array("Q", values)
    image[64 : 64 + count * case.pointer_size] = case.pack(values)
    assert case.peek(case.rw, case.rw_size) == image


def test_raw_call_writes_the_same(engine_case: EngineCase) -> None:
    case, image = engine_case, engine_case.image()
    count = min(100, case.most)
    values = case.values(count)
    case.session.data_spaces.write_pointers_virtual(case.rw, array("Q", values))
    image[: count * case.pointer_size] = case.pack(values)
    assert case.peek(case.rw, case.rw_size) == image


@pytest.mark.parametrize("shift", range(1, 8))
def test_unaligned_addresses_across_pages(engine_case: EngineCase, shift: int) -> None:
    case, image = engine_case, engine_case.image()
    count = min(2 * case.page // case.pointer_size, case.most)
    values = case.values(count)
    start = case.rw_size // 2 - count // 2 * case.pointer_size + shift
    assert case.session.write_pointers(case.rw + start, values) == count
    assert list(case.session.read_pointers(case.rw + start, count)) == values
    image[start : start + count * case.pointer_size] = case.pack(values)
    assert case.peek(case.rw, case.rw_size) == image


@pytest.mark.parametrize("fitting", [0, 1, 3, 600])
@pytest.mark.parametrize("torn", [0, 1, 3])
def test_stops_at_the_first_failure(engine_case: EngineCase, fitting: int, torn: int) -> None:
    """The prefix stays written; the pointer across the end keeps all its bytes."""
    case, image = engine_case, engine_case.image()
    fitting = min(fitting, case.most)
    start = case.rw_size - fitting * case.pointer_size - torn
    values = case.values(fitting + 5)
    with pytest.raises(TargetAccessError) as caught:
        case.session.write_pointers(case.rw + start, array("Q", values))
    error = caught.value
    assert (error.written, error.index) == (fitting, fitting)
    assert (error.address, error.count) == (case.rw + start, fitting + 5)
    assert error.method == "WritePointersVirtual"
    assert error.hresult in case.unmapped_write
    image[start : start + fitting * case.pointer_size] = case.pack(values[:fitting])
    assert case.peek(case.rw, case.rw_size) == image


@pytest.mark.parametrize("torn", [0, 2])
def test_raw_call_stops_too(engine_case: EngineCase, torn: int) -> None:
    case, image = engine_case, engine_case.image()
    start = case.rw_size - 4 * case.pointer_size - torn
    values = case.values(8)
    with pytest.raises(TargetAccessError) as caught:
        case.session.data_spaces.write_pointers_virtual(case.rw + start, values)
    assert (caught.value.written, caught.value.index, caught.value.count) == (4, 4, 8)
    image[start : start + 4 * case.pointer_size] = case.pack(values[:4])
    assert case.peek(case.rw, case.rw_size) == image


def test_strided_input_stops_at_the_same_place(engine_case: EngineCase) -> None:
    case, image = engine_case, engine_case.image()
    start = case.rw_size - 2 * case.pointer_size - 1
    values = case.values(12)
    with pytest.raises(TargetAccessError) as caught:
        case.session.write_pointers(case.rw + start, memoryview(array("Q", values))[::-3])
    assert caught.value.written == 2
    written = values[::-3][:2]
    image[start : start + 2 * case.pointer_size] = case.pack(written)
    assert case.peek(case.rw, case.rw_size) == image


def test_read_only_memory(engine_case: EngineCase) -> None:
    case = engine_case
    before = case.session.read(case.read_only, 64)
    values = case.values(3)
    if case.forces_read_only:
        assert case.session.write_pointers(case.read_only, values) == 3
        before = case.pack(values) + before[3 * case.pointer_size :]
    else:
        with pytest.raises(TargetAccessError) as caught:
            case.session.write_pointers(case.read_only, values)
        assert (caught.value.written, caught.value.index) == (0, 0)
        assert caught.value.hresult in case.refused_write
        assert "protection 'r'" in str(caught.value)
    assert case.session.read(case.read_only, 64) == before
    assert case.peek(case.read_only, 64) == before


def test_memory_that_nobody_can_write(engine_case: EngineCase) -> None:
    case = engine_case
    for address in case.unwritable:
        with pytest.raises(TargetAccessError) as caught:
            case.session.write_pointers(address, case.values(3))
        assert (caught.value.written, caught.value.index) == (0, 0)
        assert caught.value.hresult in case.refused_write
        assert f"0x{address:x}" in str(caught.value)
    for address in case.refused.values():
        assert case.peek(address, 64) == bytes(64)


@pytest.mark.parametrize("address", [0, 2**47 + 8, 2**63, 0xFFFFFFFF80000000, 2**64 - 64])
def test_impossible_addresses_fail(engine_case: EngineCase, address: int) -> None:
    case = engine_case
    with pytest.raises(TargetAccessError) as writing:
        case.session.write_pointers(address, case.values(2))
    assert (writing.value.written, writing.value.index) == (0, 0)
    with pytest.raises(TargetAccessError) as reading:
        case.session.read_pointers(address, 2)
    # An x86 engine would fold it, and is not asked.
    assert reading.value.hresult == READ_FAULT or (NARROW and reading.value.hresult is None)
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_wrapping_ranges(engine_case: EngineCase) -> None:
    """The session refuses such ranges before it writes; the raw layer passes them to the engine."""
    case = engine_case
    for address in (2**64 - 1, 2**64 - case.pointer_size * 2 + 1):
        with pytest.raises(ValueError, match=r"2\*\*64"):
            case.session.write_pointers(address, case.values(2))
        with pytest.raises(ValueError, match=r"2\*\*64"):
            case.session.read_pointers(address, 2)
        with pytest.raises(TargetAccessError):
            case.session.data_spaces.write_pointers_virtual(address, case.values(2))
        with pytest.raises(TargetAccessError) as caught:
            case.session.data_spaces.read_pointers_virtual(address, 2)
        assert caught.value.hresult == READ_FAULT
    with pytest.raises(ValueError, match="nothing was written"):
        case.session.write(2**64 - 1, b"ab")
    assert case.peek(case.rw, case.rw_size) == case.image()


@pytest.mark.parametrize("torn", [0, 1, 3])
@pytest.mark.parametrize("via", ["ReadPointersVirtual", "ReadVirtual", "auto"])
def test_reading_stops_where_it_must(readable_case: EngineCase, via: Any, torn: int) -> None:
    """The caller's buffer keeps every byte from the failing element on."""
    case = readable_case
    start = case.rw_size - 5 * case.pointer_size - torn
    wanted = case.session.read_pointers(case.rw + start, 5)
    into = array("Q", [0xA5A5A5A5A5A5A5A5] * 9)
    with pytest.raises(TargetAccessError) as caught:
        case.session.read_pointers(case.rw + start, into=into, via=via)
    error = caught.value
    # E_FAIL: a part of the pointer can be read.
    unreadable = E_FAIL if torn else case.unmapped_read
    assert error.hresult in (unreadable, case.unmapped_read)
    assert error.method in ("ReadPointersVirtual", "ReadVirtual")  # depends on engine and size
    assert (error.index, error.count, error.written) == (5, 9, 0)
    assert into[:5] == wanted
    assert into[5:] == array("Q", [0xA5A5A5A5A5A5A5A5] * 4)
    with pytest.raises(TargetAccessError) as raw:
        case.session.data_spaces.read_pointers_virtual(case.rw + start, 9)
    assert raw.value.hresult == unreadable
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_reading_less_than_the_buffer_holds(readable_case: EngineCase) -> None:
    case = readable_case
    into = array("Q", [7] * 9)
    assert case.session.read_pointers(case.rw, 4, into=into) == 4
    assert into[4:] == array("Q", [7] * 5)
    raw = case.peek(case.rw, 4 * case.pointer_size)
    size = case.pointer_size
    assert list(into[:4]) == [
        int.from_bytes(raw[i : i + size], "little") for i in range(0, 4 * size, size)
    ]


def test_reading_what_cannot_be_read(readable_case: EngineCase) -> None:
    case = readable_case
    before = [each - 1 for each in case.unreadable if each > case.end]
    for address in (*case.unreadable, case.end, *before):
        with pytest.raises(TargetAccessError) as caught:
            case.session.read_pointers(address, 1)
        assert caught.value.hresult == case.unmapped_read
        assert caught.value.index == 0


def test_the_last_pointers_of_the_address_space() -> None:
    base = 2**64 - 64
    with pydbgwrite.simulate([(base, 64)]) as session:
        assert session.write_pointers(base, range(8)) == 8
        with pytest.raises(TargetAccessError) as caught:
            session.data_spaces.write_pointers_virtual(base + 16, range(100, 110))
        assert caught.value.written == 6
        assert list(session.read_pointers(base, 8)) == [0, 1, 100, 101, 102, 103, 104, 105]
        with pytest.raises(TargetAccessError):
            session.data_spaces.write_pointers_virtual(base + 57, [1])
        assert session.write_pointers(2**64 - 8, [5]) == 1
        with pytest.raises(ValueError, match="past"):
            session.write_pointers(2**64 - 7, [5])
        assert session.data_spaces.read_virtual(2**64 - 8, 100) == (5).to_bytes(8, "little")
        assert session.data_spaces.write_virtual(2**64 - 2, b"abcdef") == 2


def test_written_counts_what_the_target_holds() -> None:
    """`written` of a refused write counts the leading values that the target already holds."""
    with pydbgwrite.simulate([(0x1000, 64, "r")]) as session:
        with pytest.raises(TargetAccessError) as caught:
            session.write_pointers(0x1000, [0, 0, 5, 0])
        assert (caught.value.written, caught.value.index) == (2, 2)
        with pytest.raises(TargetAccessError) as caught:
            session.write_pointers(0x1000, [0, 0])
        assert (caught.value.written, caught.value.index) == (2, None)
