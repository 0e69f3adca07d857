"""32-bit targets: narrowing, values that fit, values that do not fit, and results of reads."""

from __future__ import annotations

import struct
import threading
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from support.cases import CASES, EngineCase

from pydbgwrite import PointerRangeError, Session, TargetAccessError

FITTING = [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF80000000, 2**64 - 1]
TOO_WIDE = [2**32, 2**32 + 5, 0x8000000080000000, 0xFFFFFFFF7FFFFFFF, 0x7FFFFFFFFFFFFFFF]


@pytest.fixture(params=[name for name in sorted(CASES) if name.endswith("-4")])
def narrow_case(request: pytest.FixtureRequest) -> Iterator[EngineCase]:
    """Yield a target with 4-byte pointers, one for each engine."""
    with CASES[request.param]() as case:
        yield case


def test_widths(engine_case: EngineCase) -> None:
    assert engine_case.session.pointer_size == engine_case.pointer_size
    assert engine_case.session.data_spaces.is_pointer_64bit() is (engine_case.pointer_size == 8)


def test_zero_and_sign_extended_values_are_taken(narrow_case: EngineCase) -> None:
    case, image = narrow_case, narrow_case.image()
    assert case.session.write_pointers(case.rw + 2, array("Q", FITTING)) == len(FITTING)
    low = [value & 0xFFFFFFFF for value in FITTING]
    # A read returns zero-extended values, whatever was written.
    assert list(case.session.read_pointers(case.rw + 2, len(FITTING))) == low
    # The raw layer returns the engine's result: -1 is all ones, whatever the width.
    raw = list(case.session.data_spaces.read_pointers_virtual(case.rw + 2, len(FITTING)))
    assert raw == [2**64 - 1 if value == 0xFFFFFFFF else value for value in low]
    into = array("Q", [2**64 - 1] * len(FITTING))
    case.session.read_pointers(case.rw + 2, into=into)
    assert list(into) == low
    image[2 : 2 + 4 * len(low)] = struct.pack(f"<{len(low)}I", *low)
    assert case.peek(case.rw, case.rw_size) == image


@pytest.mark.parametrize("value", TOO_WIDE)
@pytest.mark.parametrize("place", [0, 1, 1023, 1024, 2999])
def test_other_values_are_refused_before_anything_is_written(
    narrow_case: EngineCase, value: int, place: int
) -> None:
    case = narrow_case
    values = array("Q", FITTING * 429)[:3000]
    values[place] = value
    for given in (values, list(values), memoryview(array("Q", values[::-1]))[::-1]):
        with pytest.raises(PointerRangeError) as caught:
            case.session.write_pointers(case.rw, given)
        error = caught.value
        assert isinstance(error, OverflowError)
        assert (error.index, error.written, error.count) == (place, 0, 3000)
        assert (error.hresult, error.hresult_name, error.method) == (None, None, None)
        assert f"pointers[{place}] is 0x{value:x}" in str(error)
        assert "truncate=True" in str(error)
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_truncate_gives_the_cast_of_the_engine(narrow_case: EngineCase) -> None:
    case, image = narrow_case, narrow_case.image()
    values = array("Q", [0x180000002, *TOO_WIDE])
    packed = case.pack(list(values))
    assert packed[:4] == b"\x02\x00\x00\x80"
    assert case.session.write_pointers(case.rw, values, truncate=True) == len(values)
    case.session.data_spaces.write_pointers_virtual(case.rw + 100, values)
    image[: len(packed)] = packed
    image[100 : 100 + len(packed)] = packed
    assert case.peek(case.rw, case.rw_size) == image


def test_truncate_means_nothing_to_a_64_bit_target(session: Session) -> None:
    assert session.write_pointers(0x10000, TOO_WIDE, truncate=True) == len(TOO_WIDE)
    assert list(session.read_pointers(0x10000, len(TOO_WIDE))) == TOO_WIDE


def test_the_first_of_several_is_named(narrow: Session) -> None:
    with pytest.raises(PointerRangeError) as caught:
        narrow.write_pointers(0x10000, [1, 2, 2**40, 2**41])
    assert caught.value.index == 2


def test_range_is_checked_even_where_nothing_is_mapped(narrow: Session) -> None:
    with pytest.raises(PointerRangeError):
        narrow.write_pointers(0x900000, [2**40])


@pytest.mark.parametrize("count", [8191, 8192, 8193, 20000])
def test_runs_longer_than_the_conversion_buffer(narrow: Session, count: int) -> None:
    with pytest.raises(TargetAccessError) as caught:
        narrow.write_pointers(0x10002, range(count))
    fitting = (0x4000 - 2) // 4
    assert caught.value.written == fitting
    assert list(narrow.read_pointers(0x10002, fitting)) == list(range(fitting))
    into = array("Q", [2**64 - 1] * count)
    with pytest.raises(TargetAccessError):
        narrow.read_pointers(0x10002, into=into)
    assert list(into[:fitting]) == list(range(fitting))
    assert set(into[fitting:]) == {2**64 - 1}


@pytest.mark.parametrize("count", [8193, 65535, 65536, 65537, 140_000])
@pytest.mark.parametrize("address", [0, 2])
def test_several_conversion_buffers(count: int, address: int) -> None:
    from pydbgwrite import simulate

    values = array("Q", (number * 0x9E3779B1 % 2**32 for number in range(count)))
    with simulate([(0, 4 * count + 6)], pointer_size=4) as session:
        assert session.write_pointers(address, values) == count
        assert session.read_pointers(address, count) == values
        with pytest.raises(TargetAccessError) as caught:
            session.write_pointers(address + 8, values)
        assert caught.value.written == count - 1
        assert session.read_pointers(address + 8, count - 1) == values[: count - 1]


def test_a_value_that_becomes_too_wide_while_it_is_written(narrow: Session) -> None:
    """The narrowing pass checks again: the caller's memory may change meanwhile."""
    from pydbgwrite import simulate

    count = 200_000
    values = array("Q", range(count))
    with simulate([(0, 4 * count)], pointer_size=4) as session:

        def spoil(done: int, total: int) -> None:
            if done < total:
                values[total - 1] = 2**40

        with pytest.raises(PointerRangeError) as caught:
            session.write_pointers(0, values, progress=spoil)
        error = caught.value
        assert error.index == count - 1
        assert error.written is not None
        assert 0 < error.written < count
        landed = session.read_pointers(0, error.written)
        assert landed == array("Q", range(error.written))
        assert list(session.read_pointers(4 * (count - 1), 1)) == [0]


@pytest.mark.parametrize("via", ["WritePointersVirtual", "WriteVirtual"])
def test_a_thread_that_changes_the_values_all_the_time(via: Any) -> None:
    """A thread changes the values during the write; no value that is too wide arrives cut off."""
    numpy = pytest.importorskip("numpy")
    from pydbgwrite import simulate

    count, small, wide = 300_000, 0x11111111, 0x222222222
    values = numpy.full(count, small, "<u8")
    go_on = threading.Event()

    def change() -> None:
        while not go_on.is_set():
            values[::3] = wide
            values[::3] = small

    with simulate([(0, 4 * count)], pointer_size=4) as session:
        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(60):
                try:
                    session.write_pointers(0, values, via=via)
                except PointerRangeError as error:
                    assert error.index is not None
                    assert error.index % 3 == 0
                held = numpy.frombuffer(session.read(0, 4 * count), "<u4")
                assert numpy.isin(held, (0, small)).all()
        finally:
            go_on.set()
            thread.join()
