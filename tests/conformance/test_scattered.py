"""write_scattered and read_scattered: each pointer has its own address."""

from __future__ import annotations

import random
import signal
import sys
import threading
import tracemalloc
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import CASES, EngineCase

import pydbgwrite
from pydbgwrite import DebugEngineError, NoTargetError, PointerRangeError, Session, testing

BASE = 0x10000
PAGE = 4096


def model(
    image: bytearray, width: int, base: int, addresses: list[int], values: list[int]
) -> bytearray:
    """Apply the writes to `image` one after the other and return it."""
    for address, value in zip(addresses, values, strict=False):
        form = (value % (1 << 8 * width)).to_bytes(width, "little")
        image[address - base : address - base + width] = form
    return image


def some_addresses(case: EngineCase, how: str, count: int) -> list[int]:
    """Return addresses in the case's writable area."""
    chance = random.Random(how)
    last = case.rw_size - case.pointer_size
    step = case.pointer_size
    if how == "ascending":
        return [case.rw + i * 16 for i in range(count)]
    if how == "descending":
        return [case.rw + (count - i) * 16 for i in range(count)]
    if how == "neighbours":
        return [case.rw + i * step for i in range(count)]
    if how == "unaligned neighbours":
        return [case.rw + 3 + i * step for i in range(count)]
    if how == "one address":
        return [case.rw + 24] * count
    if how == "aligned":
        return [case.rw + chance.randrange(last // step) * step for _ in range(count)]
    if how == "sparse":
        return [case.rw + page * PAGE + 8 for page in range(case.rw_size // PAGE)]
    return [case.rw + chance.randrange(last) for _ in range(count)]


HOW = [
    "ascending",
    "descending",
    "neighbours",
    "unaligned neighbours",
    "one address",
    "aligned",
    "sparse",
    "anywhere",
]


MANY, FEW = 700, 200  # elements; FEW if each element is a network round trip


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("spans", [True, False])
def test_writing(engine_case: EngineCase, how: str, spans: bool) -> None:
    addresses = some_addresses(engine_case, how, MANY if engine_case.most >= MANY else FEW)
    values = engine_case.values(len(addresses))
    wanted = model(engine_case.image(), engine_case.pointer_size, engine_case.rw, addresses, values)
    session = engine_case.session
    assert session.write_scattered(addresses, values, spans=spans) == len(addresses)
    assert engine_case.peek(engine_case.rw, engine_case.rw_size) == wanted


@pytest.mark.parametrize("how", HOW)
def test_reading(engine_case: EngineCase, how: str) -> None:
    addresses = some_addresses(engine_case, how, MANY if engine_case.most >= MANY else FEW)
    image = engine_case.image()
    places = [address - engine_case.rw for address in addresses]
    wanted = [int.from_bytes(image[at : at + engine_case.pointer_size], "little") for at in places]
    assert list(engine_case.session.read_scattered(addresses)) == wanted
    into = array("Q", bytes(8 * len(addresses) + 8))
    assert engine_case.session.read_scattered(addresses, into=into) == len(addresses)
    assert list(into) == [*wanted, 0]


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_a_failure_names_the_element(engine_case: EngineCase, spans: bool, order: int) -> None:
    """The error names the first bad element in the caller's order; those before it are written."""
    case = engine_case
    addresses = [case.rw + i * 48 for i in range(60)][::order]
    addresses[40] = case.end + 8
    addresses[50] = case.end + 16
    values = case.values(60)
    with pytest.raises(DebugEngineError) as caught:
        case.session.write_scattered(addresses, values, spans=spans)
    error = caught.value
    assert (error.index, error.written, error.count) == (40, 40, 60)
    assert error.address == case.end + 8
    assert error.hresult in case.unmapped_write
    assert f"addresses[40] = 0x{case.end + 8:x}" in str(error)
    held = case.session.read_scattered(addresses[:40])
    assert list(held) == values[:40]
    with pytest.raises(DebugEngineError) as caught:
        case.session.read_scattered(addresses)
    assert (caught.value.index, caught.value.address) == (40, case.end + 8)


def test_a_pointer_across_the_end_stays_whole(engine_case: EngineCase) -> None:
    case = engine_case
    addresses = [case.rw + i * 64 for i in range(20)] + [case.end - 3]
    values = case.values(21)
    wanted = model(case.image(), case.pointer_size, case.rw, addresses[:20], values[:20])
    with pytest.raises(DebugEngineError) as caught:
        case.session.write_scattered(addresses, values)
    assert caught.value.index == 20
    assert case.peek(case.rw, case.rw_size) == wanted


def test_read_only_pages(engine_case: EngineCase) -> None:
    """Each pointer is forced or refused as by the direct call; no span writes to the pages."""
    case = engine_case
    addresses = [case.read_only + i * 16 for i in range(100)]
    if case.forces_read_only:
        assert case.session.write_scattered(addresses, case.values(100)) == 100
        assert list(case.session.read_scattered(addresses)) == case.values(100)
    else:
        with pytest.raises(DebugEngineError) as caught:
            case.session.write_scattered(addresses, case.values(100))
        assert caught.value.hresult in case.refused_write
        assert (caught.value.index, caught.value.written) == (0, 0)


def test_of_duplicates_the_last_counts_after_a_failure_too(session: Session) -> None:
    """Element 3 has overwritten element 1 and is in place; element 2 is not."""
    with pytest.raises(DebugEngineError) as caught:
        session.write_scattered([BASE, BASE + 8, BASE + 0x4000, BASE + 8], [1, 2, 3, 2])
    assert (caught.value.index, caught.value.written) == (2, 2)
    with pytest.raises(DebugEngineError) as caught:
        session.write_scattered([BASE, BASE + 8, BASE + 0x4000, BASE + 8], [1, 5, 3, 6])
    assert (caught.value.index, caught.value.written) == (1, 1)


def test_a_target_that_has_gone(engine_case: EngineCase) -> None:
    engine_case.take_away()
    with pytest.raises(NoTargetError) as caught:
        engine_case.session.write_scattered([engine_case.rw + i * 8 for i in range(20)], [1] * 20)
    assert caught.value.written in (None, 0)
    with pytest.raises(NoTargetError):
        engine_case.session.read_scattered([engine_case.rw])


@pytest.mark.parametrize("width", [4, 8])
def test_lengths_must_match(width: int) -> None:
    with pydbgwrite.simulate([(BASE, PAGE)], pointer_size=width) as session:
        with pytest.raises(ValueError, match="got 2 addresses and 3 pointers"):
            session.write_scattered([BASE, BASE + 8], [1, 2, 3])
        with pytest.raises(ValueError, match="room for 1"):
            session.read_scattered([BASE, BASE + 8], into=array("Q", [0]))
        assert session.write_scattered([], []) == 0
        assert session.read_scattered([]) == array("Q")


@pytest.mark.parametrize("width", [4, 8])
def test_addresses_past_the_end_of_the_address_space(width: int) -> None:
    with pydbgwrite.simulate([(BASE, PAGE)], pointer_size=width) as session:
        bad = 2**64 - width + 1
        with pytest.raises(ValueError, match=rf"addresses\[1\] is 0x{bad:x}.*nothing was written"):
            session.write_scattered([BASE, bad], [1, 2])
        with pytest.raises(ValueError, match="nothing was read"):
            session.read_scattered([BASE, bad])
        assert session.read(BASE, 8) == bytes(8)


def test_what_addresses_may_be(session: Session) -> None:
    bad: list[Any] = [1.5, "abc", {1: 2}, [None], [-1], [1 << 64], array("d", [1.0])]
    for each in bad:
        with pytest.raises((TypeError, ValueError, OverflowError), match="addresses"):
            session.write_scattered(each, [1])
        with pytest.raises((TypeError, ValueError, OverflowError), match="addresses"):
            session.read_scattered(each)
    strided = memoryview(array("Q", [BASE, 7, BASE + 64, 7]))[::2]
    assert session.write_scattered(strided, memoryview(array("Q", [1, 2, 3, 4]))[::-2]) == 2
    assert list(session.read_scattered(iter([BASE, BASE + 64]))) == [4, 2]
    with pytest.raises(ValueError, match="contiguous"):
        session.read_scattered([BASE, BASE], into=memoryview(array("Q", [1, 2, 3, 4]))[::2])


@pytest.mark.parametrize("count", [3, 900])
def test_values_for_a_32_bit_target(narrow: Session, count: int) -> None:
    addresses = [BASE + 16 * i for i in range(count)]
    values = [2**64 - 1 - i for i in range(count)]
    assert narrow.write_scattered(addresses, values) == count
    assert list(narrow.read_scattered(addresses)) == [v & 0xFFFFFFFF for v in values]
    values[count - 1] = 1 << 32
    with pytest.raises(PointerRangeError) as caught:
        narrow.write_scattered(addresses[::-1], values)
    assert (caught.value.index, caught.value.written) == (count - 1, 0)
    assert narrow.write_scattered(addresses, values, truncate=True) == count
    assert narrow.read_scattered(addresses[-1:])[0] == 0


def places(end: int, least: int = 0) -> st.SearchStrategy[list[int]]:
    """Return a strategy for a few offsets that often overlap, or lie in few pages."""
    anywhere = st.integers(0, end - 8)
    near = st.integers(0, 40)
    aligned = st.integers(0, (end - 8) // 8).map(lambda n: n * 8)
    return st.lists(st.one_of(anywhere, near, aligned), min_size=least, max_size=80)


@given(
    width=st.sampled_from([4, 8]),
    offsets=places(3 * PAGE),
    spans=st.booleans(),
    limit=st.sampled_from([0, 0, 9, 300]),
    seed=st.integers(0, 1000),
)
def test_the_model(width: int, offsets: list[int], spans: bool, limit: int, seed: int) -> None:
    chance = random.Random(seed)
    end = 3 * PAGE
    values = [chance.getrandbits(8 * width) for _ in offsets]
    addresses = [BASE + offset for offset in offsets]
    image = bytearray(chance.randbytes(end))
    with pydbgwrite.simulate([(BASE, end)], pointer_size=width) as session:
        session.write(BASE, bytes(image))
        testing.limit_transfers(session, limit)
        session.write_scattered(addresses, values, spans=spans)
        assert session.read(BASE, end) == model(image, width, BASE, addresses, values)
        held = session.read_scattered(addresses)
        wanted = [image[at : at + width] for at in offsets]
        assert [v.to_bytes(8, "little")[:width] for v in held] == wanted


@given(
    width=st.sampled_from([4, 8]),
    offsets=places(2 * PAGE, least=12),  # enough elements to be sorted
    near=st.integers(-8, 16),
    spans=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_model_with_a_fault(
    width: int, offsets: list[int], near: int, spans: bool, seed: int
) -> None:
    """One byte can't be written: each pointer that covers it fails and keeps all its bytes."""
    chance = random.Random(seed)
    end = 2 * PAGE
    fault = min(max(chance.choice(offsets) + near, 0), end - 1)
    values = [chance.getrandbits(8 * width) for _ in offsets]
    addresses = [BASE + offset for offset in offsets]
    before = chance.randbytes(end)
    final = model(bytearray(before), width, BASE, addresses, values)
    bad = [i for i, at in enumerate(offsets) if at <= fault < at + width]
    with pydbgwrite.simulate([(BASE, end)], pointer_size=width) as session:
        session.write(BASE, before)
        testing.fail_writes(session, BASE + fault)
        if bad:
            with pytest.raises(DebugEngineError) as caught:
                session.write_scattered(addresses, values, spans=spans)
        else:
            assert session.write_scattered(addresses, values, spans=spans) == len(offsets)
        held = session.read(BASE, end)
    if not bad:
        assert held == final
        return
    in_place = [held[at : at + width] == final[at : at + width] for at in offsets]
    first = in_place.index(False) if False in in_place else None
    assert caught.value.index == first
    assert caught.value.written == (len(offsets) if first is None else first)
    # Only the bytes of the good pointers change; a failing pointer keeps all its bytes.
    good = [at for index, at in enumerate(offsets) if index not in bad]
    touched = {at + i for at in good for i in range(width)}
    assert all(held[i] == before[i] for i in range(end) if i not in touched)
    for index in range(bad[0]):  # written, and perhaps overwritten by a later element
        at = offsets[index]
        covered = any(abs(other - at) < width for other in offsets[index + 1 :])
        assert covered or held[at : at + width] == final[at : at + width]


def test_a_span_that_fails_inside_a_pointer(session: Session) -> None:
    """The bytes of the pointer that the span's write has changed are restored."""
    session.write(BASE, b"\xaa" * PAGE)
    testing.fail_writes(session, BASE + 640 + 3)
    with pytest.raises(DebugEngineError) as caught:
        session.write_scattered([BASE + 64 * i for i in range(64)], list(range(1, 65)))
    assert (caught.value.index, caught.value.written) == (10, 10)
    assert session.read(BASE + 640, 64) == b"\xaa" * 64
    assert list(session.read_scattered([BASE + 64 * i for i in range(10)])) == list(range(1, 11))


@pytest.mark.parametrize("name", [name for name in CASES if "running" in name])
def test_a_running_target_keeps_the_order(name: str) -> None:
    """Another process sees that no element after the failing one is written."""
    with CASES[name]() as case:
        addresses = [case.rw + 8192, case.end + 8, *(case.rw + i * 16 for i in range(200))]
        values = case.values(len(addresses))
        wanted = model(case.image(), case.pointer_size, case.rw, addresses[:1], values[:1])
        with pytest.raises(DebugEngineError) as caught:
            case.session.write_scattered(addresses, values)
        assert caught.value.index == 1
        assert case.peek(case.rw, case.rw_size) == wanted


LARGE = 600_000


@pytest.fixture(scope="module")
def many() -> tuple[array[int], array[int]]:
    """Return addresses in the 64 MiB at BASE, and values for them."""
    chance = random.Random(5)
    places = [BASE + 8 * chance.randrange(8 << 20) for _ in range(LARGE)]
    return array("Q", places), array("Q", [chance.getrandbits(64) for _ in range(LARGE)])


def test_progress(many: tuple[array[int], array[int]]) -> None:
    addresses, values = many
    with pydbgwrite.simulate([(BASE, 64 << 20)]) as session:
        for work in (
            lambda p: session.write_scattered(addresses, values, progress=p, spans=False),
            lambda p: session.write_scattered(addresses, values, progress=p),
            lambda p: session.read_scattered(addresses, progress=p),
        ):
            seen: list[tuple[int, int]] = []
            work(lambda done, of: seen.append((done, of)))  # noqa: B023
            steps = [done for done, _ in seen]
            assert steps == sorted(set(steps))
            assert steps[-1] == LARGE
            assert {of for _, of in seen} == {LARGE}


def check_written(session: Session, many: tuple[array[int], array[int]], written: int) -> None:
    """Assert that `written` leading elements are in place, except those overwritten later."""
    addresses, values = many
    final = dict(zip(addresses, values, strict=False))
    leading = dict(zip(addresses[:written], values[:written], strict=False))
    held = session.read_scattered(addresses[:written])
    for address, value in zip(addresses, held, strict=False):
        assert value in (leading[address], final[address])


@pytest.mark.parametrize("spans", [True, False])
def test_progress_that_raises(many: tuple[array[int], array[int]], spans: bool) -> None:
    def raising(done: int, of: int) -> None:
        raise ZeroDivisionError

    with pydbgwrite.simulate([(BASE, 64 << 20)]) as session:
        with pytest.raises(ZeroDivisionError) as caught:
            session.write_scattered(*many, spans=spans, progress=raising)
        written: int = caught.value.written  # type: ignore[attr-defined]
        assert 0 <= written <= LARGE
        check_written(session, many, written)


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to a thread")
def test_ctrl_c(many: tuple[array[int], array[int]]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    written: int | None = None
    with pydbgwrite.simulate([(BASE, 64 << 20)]) as session:
        for _ in range(20):  # the signal may come between two calls
            timer = threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGINT))
            try:
                timer.start()
                while True:
                    session.write_scattered(*many, spans=False)
            except KeyboardInterrupt as stopped:
                written = getattr(stopped, "written", None)
            timer.join()
            if written is not None:
                break
        assert written is not None
        check_written(session, many, written)


def test_memory_is_bounded(many: tuple[array[int], array[int]]) -> None:
    """No element gets a Python object, whatever the count."""
    addresses, values = many
    with pydbgwrite.simulate([(BASE, 64 << 20)]) as session:
        tracemalloc.start()
        session.write_scattered(addresses, values)
        session.read_scattered(addresses, into=values)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20
