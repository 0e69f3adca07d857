"""ReadVirtual, WriteVirtual, FillVirtual, SearchVirtual and the physical calls on every engine."""

from __future__ import annotations

import pytest
from support.cases import E_INVALIDARG, E_UNEXPECTED, READ_FAULT, EngineCase

import pydbgwrite
from pydbgwrite import DebugEngineError, TargetAccessError, testing


@pytest.mark.parametrize("size", [1, 7, 4096, 4097, 16384])
def test_bytes_round_trip(engine_case: EngineCase, size: int) -> None:
    case, image = engine_case, engine_case.image()
    start = case.rw_size - size
    data = bytes((i * 13 + 5) % 256 for i in range(size))
    assert case.session.write(case.rw + start, data) == size
    assert case.session.read(case.rw + start, size) == data
    assert case.session.data_spaces.read_virtual(case.rw + start, size) == data
    assert case.session.data_spaces.read_virtual_uncached(case.rw + start, size) == data
    image[start:] = data
    assert case.peek(case.rw, case.rw_size) == image


@pytest.mark.parametrize("method", ["write_virtual", "write_virtual_uncached"])
def test_raw_writes(engine_case: EngineCase, method: str) -> None:
    case, image = engine_case, engine_case.image()
    assert getattr(case.session.data_spaces, method)(case.rw + 5, b"patched") == 7
    image[5:12] = b"patched"
    assert case.peek(case.rw, case.rw_size) == image


@pytest.mark.parametrize("method", ["write_virtual", "write_virtual_uncached"])
def test_size_zero_is_an_invalid_argument(engine_case: EngineCase, method: str) -> None:
    case, spaces = engine_case, engine_case.session.data_spaces
    if case.differs("empty writes"):
        assert getattr(spaces, method)(case.rw, b"") == 0
        assert case.peek(case.rw, case.rw_size) == case.image()
        return
    with pytest.raises(DebugEngineError) as caught:
        getattr(spaces, method)(case.rw, b"")
    assert caught.value.hresult == E_INVALIDARG
    assert caught.value.hresult_name == "E_INVALIDARG"
    assert type(caught.value) is DebugEngineError


def test_reading_nothing_and_filling_nothing_succeed(readable_case: EngineCase) -> None:
    case, spaces = readable_case, readable_case.session.data_spaces
    for address in (case.rw, case.end, 0x10, 2**64 - 1):
        assert spaces.read_virtual(address, 0) == b""
        assert spaces.read_virtual_uncached(address, 0) == b""
    if case.writes:
        for address in (case.rw, case.end, 0x10):
            assert spaces.fill_virtual(address, 0, b"x") == 0
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_empty_requests_of_the_session(engine_case: EngineCase) -> None:
    case = engine_case
    for address in (case.rw, case.end, 0, 2**64 - 1):
        assert case.session.write(address, b"") == 0
        assert case.session.read(address, 0) == b""
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_writing_past_the_end(engine_case: EngineCase) -> None:
    case, image = engine_case, engine_case.image()
    with pytest.raises(TargetAccessError) as caught:
        case.session.write(case.end - 5, b"0123456789")
    error = caught.value
    assert (error.method, error.count, error.address) == ("WriteVirtual", 10, case.end - 5)
    if case.moves_prefix is not None:
        assert error.written == (5 if case.moves_prefix else 0)
    assert error.written in (0, 5) and error.index == error.written
    if error.written:
        image[-5:] = b"01234"
    assert error.hresult in case.unmapped_write
    assert case.session.data_spaces.read_virtual(case.end - 5, 5) == image[-5:]
    assert case.peek(case.rw, case.rw_size) == image


def test_short_transfers_of_the_raw_layer(engine_case: EngineCase) -> None:
    case, image = engine_case, engine_case.image()
    spaces = case.session.data_spaces
    assert spaces.read_virtual(case.end - 5, 10) == bytes(image[-5:])
    if case.moves_prefix is None:
        return
    if case.moves_prefix:
        assert spaces.write_virtual(case.end - 5, b"0123456789") == 5
        image[-5:] = b"01234"
    else:
        with pytest.raises(TargetAccessError) as caught:
            spaces.write_virtual(case.end - 5, b"0123456789")
        assert caught.value.written == 0
    assert case.peek(case.rw, case.rw_size) == image


def test_reading_what_cannot_be_read(readable_case: EngineCase) -> None:
    case, spaces = readable_case, readable_case.session.data_spaces
    for address in (*case.unreadable, case.end, 0, 2**64 - 8):
        for read in (case.session.read, spaces.read_virtual, spaces.read_virtual_uncached):
            with pytest.raises(TargetAccessError) as caught:
                read(address, 8)
            assert caught.value.hresult == case.unmapped_read
            name = "ERROR_READ_FAULT" if case.unmapped_read == READ_FAULT else "E_NOINTERFACE"
            assert caught.value.hresult_name == name
            assert (caught.value.address, caught.value.count) == (address, 8)
            assert f"0x{address:x}" in str(caught.value)
    with pytest.raises(TargetAccessError) as caught:
        case.session.read(case.end - 3, 10)
    assert (caught.value.index, caught.value.count) == (3, 10)


def test_writing_what_cannot_be_written(engine_case: EngineCase) -> None:
    case, spaces = engine_case, engine_case.session.data_spaces
    for address in case.unwritable:
        for write in (case.session.write, spaces.write_virtual, spaces.write_virtual_uncached):
            with pytest.raises(TargetAccessError) as caught:
                write(address, b"12345678")
            assert caught.value.hresult in case.refused_write
            assert (caught.value.written, caught.value.index) == (0, 0)


def test_fill(engine_case: EngineCase) -> None:
    case, image = engine_case, engine_case.image()
    spaces = case.session.data_spaces
    assert spaces.fill_virtual(case.rw + 3, 10, b"abc") == 10
    image[3:13] = b"abcabcabca"
    size, start = min(9000, case.most), case.page - 13
    assert spaces.fill_virtual(case.rw + start, size, bytes(range(7))) == size
    image[start : start + size] = (bytes(range(7)) * 1300)[:size]
    assert spaces.fill_virtual(case.rw, 1, b"longer than the range") == 1
    image[0:1] = b"l"
    assert case.peek(case.rw, case.rw_size) == image


def test_fill_stops_at_the_first_byte_it_cannot_write(engine_case: EngineCase) -> None:
    case, image = engine_case, engine_case.image()
    spaces = case.session.data_spaces
    assert spaces.fill_virtual(case.end - 96, 200, b"xy") == 96
    image[-96:] = b"xy" * 48
    with pytest.raises(TargetAccessError) as caught:
        spaces.fill_virtual(case.end, 16, b"xy")
    assert (caught.value.written, caught.value.count) == (0, 16)
    assert caught.value.hresult in case.unmapped_write
    for address in case.unreadable:
        with pytest.raises(TargetAccessError) as caught:
            spaces.fill_virtual(address, 16, b"xy")
        assert caught.value.written == 0
        assert caught.value.hresult in case.refused_write
    for address, size in ((case.rw, 8), (case.rw, 0), (0x10, 8)):
        with pytest.raises(DebugEngineError) as invalid:
            spaces.fill_virtual(address, size, b"")
        assert invalid.value.hresult == E_INVALIDARG
    assert case.peek(case.rw, case.rw_size) == image


def test_search(engine_case: EngineCase) -> None:
    case, spaces = engine_case, engine_case.session.data_spaces
    case.session.write(case.rw, bytes(case.rw_size))
    needle, at = b"needle!!", case.rw + case.page - 3
    case.session.write(at, needle)
    assert spaces.search_virtual(case.rw, case.rw_size, needle) == at
    assert spaces.search_virtual(at, len(needle), needle) == at
    assert spaces.search_virtual(at, len(needle) - 1, needle) is None
    assert spaces.search_virtual(at + 1, case.end - at - 1, needle) is None
    assert spaces.search_virtual(case.rw, case.rw_size, b"straw") is None
    # Matches count from the start of the search, in steps of the granularity.
    assert spaces.search_virtual(case.rw, case.rw_size, needle, 4) is None
    assert spaces.search_virtual(case.rw + 1, case.rw_size - 1, needle, 4) == at
    assert spaces.search_virtual(at - 8, 64, needle, 8) == at


def test_search_goes_beyond_what_cannot_be_read(engine_case: EngineCase) -> None:
    case, spaces = engine_case, engine_case.session.data_spaces
    needle = b"only once, at the end"
    case.session.write(case.end - len(needle), needle)
    assert spaces.search_virtual(case.rw - 3 * case.page, 16 * case.page, needle) == (
        case.end - len(needle)
    )
    assert spaces.search_virtual(case.end, case.page, needle) is None
    for address in case.unreadable:
        assert spaces.search_virtual(address, case.page, b"\0") is None


def test_nothing_is_found_everywhere(readable_case: EngineCase) -> None:
    """An empty pattern matches at the start of the search, mapped or not."""
    case, spaces = readable_case, readable_case.session.data_spaces
    for address in (case.rw, case.end, 0x10, 2**64 - 1):
        for length in (0, 100):
            assert spaces.search_virtual(address, length, b"") == address
    assert spaces.search_virtual(case.rw, 100, b"", 2) == case.rw


@pytest.mark.parametrize(
    ("pattern", "granularity"), [(b"", 0), (b"abc", 2), (b"abcd", 0), (b"a", 2)]
)
def test_search_rules(engine_case: EngineCase, pattern: bytes, granularity: int) -> None:
    """As documented, the pattern size must be a multiple of the granularity."""
    case = engine_case
    with pytest.raises(DebugEngineError) as caught:
        case.session.data_spaces.search_virtual(case.rw, 100, pattern, granularity)
    assert caught.value.hresult == E_INVALIDARG


def test_search_with_short_reads(session: pydbgwrite.Session) -> None:
    """Neither a short ReadVirtual nor an unreadable byte ends a search."""
    session.write(0x13FF0, b"end of the road")
    session.write(0x100F0, b"0123456789abcdef")
    testing.limit_transfers(session, 10)
    assert session.data_spaces.search_virtual(0x10000, 0x4000, b"end of the road") == 0x13FF0
    assert session.data_spaces.search_virtual(0x10000, 0x4000, b"789a") == 0x100F7
    testing.clear(session)
    testing.fail_reads(session, 0x10050)
    testing.fail_reads(session, 0x100F9)
    assert session.data_spaces.search_virtual(0x10000, 0x4000, b"end of the road") == 0x13FF0
    assert session.data_spaces.search_virtual(0x10000, 0x4000, b"789a") is None
    assert session.data_spaces.search_virtual(0x10000, 0x4000, b"abcd") == 0x100FA
    assert session.data_spaces.search_virtual(0x10051, 0x3000, b"\0\0\0\0", 4) == 0x10051


def test_search_across_neighbours_and_blocks() -> None:
    """A match may lie across two regions, and across the blocks that a search reads."""
    regions = [(0x1000, 0x20000, "rw"), (0x21000, 0x20000, "r"), (0x41000, 0x1000, "rw")]
    with pydbgwrite.simulate(regions) as session:
        spaces = session.data_spaces
        session.write(0x1000 + 65536 - 3, b"block")
        session.write(0x20FFC, b"\1\2\3\4")
        assert spaces.search_virtual(0, 2**64 - 1, b"block") == 0x1000 + 65536 - 3
        assert spaces.search_virtual(0, 2**64 - 1, b"\3\4" + bytes(0x21001)) is None
        assert spaces.search_virtual(0, 2**64 - 1, b"\3\4" + bytes(0x21000)) == 0x20FFE
        assert spaces.search_virtual(0x41000, 0x1000, bytes(0x1000)) == 0x41000


def test_physical_memory_is_for_kernel_targets(engine_case: EngineCase) -> None:
    case, spaces = engine_case, engine_case.session.data_spaces
    with pytest.raises(DebugEngineError) as caught:
        spaces.read_physical(0, 8)
    assert type(caught.value) is DebugEngineError
    assert (caught.value.hresult, caught.value.method) == (E_UNEXPECTED, "ReadPhysical")
    assert "kernel" in str(caught.value)
    with pytest.raises(DebugEngineError) as caught:
        spaces.write_physical(0, b"12345678")
    assert (caught.value.hresult, caught.value.method) == (E_UNEXPECTED, "WritePhysical")
    assert caught.value.written == 0
    assert "no longer answers" not in str(caught.value)
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_short_writes_are_carried_on(session: pydbgwrite.Session) -> None:
    """A short WriteVirtual is S_OK to the raw layer; a Session writes the rest."""
    data = bytes(range(256)) * 4
    testing.limit_transfers(session, 100)
    assert session.data_spaces.write_virtual(0x10000, data) == 100
    assert session.data_spaces.read_virtual(0x10000, 1024) == data[:100]
    assert session.write(0x10000, data) == 1024
    assert session.read(0x10000, 1024) == data
    testing.clear(session)
    assert session.data_spaces.read_virtual(0x10000, 1024) == data


def test_faults_after_n_calls(session: pydbgwrite.Session) -> None:
    testing.fail_writes(session, 0x10014, after=2)
    assert session.write_pointers(0x10000, [1, 2, 3, 4]) == 4
    assert session.write_pointers(0x10000, [1, 2]) == 2
    assert session.write_pointers(0x10000, [5, 6, 7, 8]) == 4
    with pytest.raises(TargetAccessError) as caught:
        session.write_pointers(0x10000, [9, 10, 11, 12])
    assert caught.value.hresult == 0x8007001D
    assert (caught.value.written, caught.value.index) == (2, 2)
    assert list(session.read_pointers(0x10000, 4)) == [9, 10, 7, 8]
    testing.clear(session)
    assert session.write_pointers(0x10000, [9, 10, 11, 12]) == 4
