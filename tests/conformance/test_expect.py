"""expect=: a call writes only if the target holds the expected values; else it writes nothing."""

from __future__ import annotations

import ctypes
import signal
import threading
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from support.cases import EngineCase
from support.inputs import Index, IntSubclass, nothing_written, pointers
from support.recorder import Recorder, forget, record

import pydbgwrite
from pydbgwrite import (
    AddressError,
    ExpectationError,
    Mismatch,
    NoTargetError,
    PointerRangeError,
    Session,
    TargetAccessError,
    simulate,
    testing,
)

BASE = 0x10000
LARGE = 300_000


@pytest.fixture
def large() -> Iterator[Session]:
    """Yield a session on 8 MiB of simulated memory."""
    with simulate([(BASE, 8 << 20)]) as session:
        yield session


def test_what_is_expected_is_there(engine_case: EngineCase) -> None:
    case, session = engine_case, engine_case.session
    first, second = case.values(100), case.values(100, seed=500)
    session.write_pointers(case.rw + 1, first)
    expects: list[Any] = [first, array("Q", first), numpy.array(first[::-1], "u8")[::-1]]
    for expect in expects:
        for via in ("WritePointersVirtual", "WriteVirtual", "auto"):
            done = session.write_pointers(case.rw + 1, second, via=via, expect=expect)
            assert done == 100
            assert session.read_pointers(case.rw + 1, 100) == array("Q", second)
            session.write_pointers(case.rw + 1, first)
    addresses = [case.rw + 1 + case.pointer_size * at for at in (5, 3, 99)]
    old, new = [first[5], first[3], first[99]], [1, 2, 3]
    assert session.write_scattered(addresses, new, expect=old, verify=True) == 3
    assert session.write_scattered(addresses, old, expect=(each for each in new)) == 3
    image = session.read(case.rw, 64)
    assert session.write(case.rw, b"x" * 64, expect=image, verify=True) == 64
    assert session.write(case.rw, image, expect=bytearray(b"x" * 64)) == 64
    assert session.read_pointers(case.rw + 1, 100) == array("Q", first)


@pytest.mark.parametrize("expect", [7, numpy.uint64(7), Index(7), IntSubclass(7), numpy.array(7)])
def test_one_value_for_all(engine_case: EngineCase, expect: Any) -> None:
    case, session = engine_case, engine_case.session
    session.write_pointers(case.rw, [7] * 600)
    assert session.write_pointers(case.rw, [8] * 300, expect=expect) == 300
    with pytest.raises(ExpectationError) as caught:
        session.write_pointers(case.rw, [9] * 301, expect=8)
    assert caught.value.mismatches == [Mismatch(case.rw + 300 * case.pointer_size, 8, 7)]
    where = [case.rw + case.pointer_size * at for at in (300, 400, 500)]
    assert session.write_scattered(where, [1, 2, 3], expect=expect) == 3


def test_nothing_is_written_where_something_differs(engine_case: EngineCase) -> None:
    """The whole range is compared before the first write: the mismatch may be first or last."""
    case, session = engine_case, engine_case.session
    width = case.pointer_size
    held = session.read_pointers(case.rw, 500)
    before = session.read(case.rw, case.rw_size)
    for wrong in (0, 250, 499):
        expect = held[:]
        expect[wrong] ^= 0x10
        with pytest.raises(ExpectationError) as caught:
            session.write_pointers(case.rw, case.values(500), expect=expect)
        error = caught.value
        assert error.mismatches == [Mismatch(case.rw + wrong * width, expect[wrong], held[wrong])]
        assert (error.total, error.written, error.index, error.count) == (1, 0, wrong, 500)
        assert f"0x{case.rw + wrong * width:x}: 0x{expect[wrong]:x} was expected" in str(error)
        assert "1 of 500 pointers is not what was expected" in str(error)
        assert "nothing was written" in str(error)
        addresses = range(case.rw, case.rw + 500 * width, width)
        with pytest.raises(ExpectationError) as caught:
            session.write_scattered(addresses, case.values(500), expect=expect)
        assert caught.value.mismatches == error.mismatches
        assert caught.value.address == case.rw + wrong * width
    with pytest.raises(ExpectationError) as caught:
        session.write(case.rw, b"x" * 100, expect=before[:99] + b"\xff")
    assert caught.value.mismatches == [Mismatch(case.rw + 99, 0xFF, before[99])]
    assert case.peek(case.rw, case.rw_size) == before


def test_what_can_not_be_read(engine_case: EngineCase) -> None:
    case, session = engine_case, engine_case.session
    count = case.rw_size // case.pointer_size
    held = [*session.read_pointers(case.rw, count), 0]
    before = session.read(case.rw, case.rw_size)
    writes: list[Callable[[], int]] = [
        lambda: session.write_pointers(case.rw, [1] * (count + 1), expect=held),
        lambda: session.write_scattered([case.rw, case.end], [1, 2], expect=[held[0], 0]),
        lambda: session.write(case.rw, b"x" * (len(before) + 1), expect=before + b"x"),
    ]
    for write in writes:
        with pytest.raises(TargetAccessError, match="nothing was written") as caught:
            write()
        assert caught.value.method == "ReadVirtual"
        assert caught.value.written == 0
        assert f"0x{case.end:x}" in str(caught.value)
    assert case.peek(case.rw, case.rw_size) == before


def test_a_target_that_has_gone(engine_case: EngineCase) -> None:
    case, session = engine_case, engine_case.session
    case.take_away()
    with pytest.raises(NoTargetError):
        session.write_pointers(case.rw, [1], expect=0)


def test_values_for_narrow_pointers(narrow: Session) -> None:
    """An extended expectation compares by its low 32 bits; one that is too wide is refused."""
    narrow.write_pointers(BASE, [0xFFFFFFF0, 2])
    assert narrow.write_pointers(BASE, [1, 2], expect=[2**64 - 16, 2]) == 2
    narrow.write_pointers(BASE, [0xFFFFFFF0, 2])
    writes: list[tuple[str, int | None, Callable[[bool], int]]] = [
        ("expect is", None, lambda t: narrow.write_pointers(BASE, [5], expect=1 << 40, truncate=t)),
        (
            r"expect\[1\] is",
            1,
            lambda t: narrow.write_pointers(BASE, [5, 6], expect=[0, 1 << 40], truncate=t),
        ),
        (
            r"expect\[1\] is",
            1,
            lambda t: narrow.write_scattered([BASE] * 2, [5, 6], expect=[0, 1 << 40], truncate=t),
        ),
    ]
    for words, index, write in writes:
        with pytest.raises(PointerRangeError, match=f"{words} 0x10000000000") as caught:
            write(False)
        assert (caught.value.index, caught.value.written) == (index, 0)
        with pytest.raises(ExpectationError) as different:
            write(True)
        assert {each.wanted for each in different.value.mismatches} == {0}
    assert narrow.read_pointers(BASE, 2) == array("Q", [0xFFFFFFF0, 2])
    assert narrow.write_pointers(BASE, [5], expect=(1 << 40) + 0xFFFFFFF0, truncate=True) == 1


BAD: list[tuple[type[Exception], str, Any]] = [
    (ValueError, "expect must be one pointer, or as many as are written: got 2 for 3", [1, 2]),
    (ValueError, "got 4 for 3", array("Q", [1, 2, 3, 4])),
    (ValueError, "got 0 for 3", []),
    (ValueError, "expect: raw bytes must be a multiple of 8", bytes(23)),
    (TypeError, "expect must be an int, got an object of <class 'bool'>", True),
    (TypeError, "expect: got <class 'float'>", 1.0),
    (ValueError, "expect '0z': ", "0z"),
    (AddressError, "expect: .*no-such-module", "no-such-module!x"),
    (TypeError, "expect: got <class 'dict'>", {1: 2}),
    (TypeError, "expect: got <class 'array.array'> with items of format 'd'", array("d", [1])),
    (TypeError, r"expect\[1\] must be an int", [1, 2.0, 3]),
    (TypeError, "expect must have one dimension", numpy.zeros((3, 1), "u8")),
    (TypeError, "only integer|expect", numpy.array(1.5)),
    (OverflowError, "expect must be from 0 to", -1),
    (OverflowError, "expect must be from 0 to", 2**64),
    (OverflowError, r"expect\[2\] must be from 0 to", [1, 2, 1 << 5000]),
]


@pytest.mark.parametrize(("kind", "words", "expect"), BAD)
def test_bad_expectations(session: Session, kind: type[Exception], words: str, expect: Any) -> None:
    with nothing_written(session):
        with pytest.raises(kind, match=words):
            session.write_pointers(BASE, [1, 2, 3], expect=expect)
        with pytest.raises(kind, match=words):
            session.write_scattered([BASE, BASE + 8, BASE + 16], [1, 2, 3], expect=expect)


@pytest.mark.parametrize(
    ("kind", "words", "expect"),
    [
        (TypeError, "expect must be bytes-like, got an object of <class 'int'>", 1),
        (TypeError, "expect must be bytes-like, got an object of <class 'list'>", [1, 2, 3]),
        (ValueError, "expect must be as long as data: got 2 bytes for 3", b"12"),
        (ValueError, "expect must be contiguous", memoryview(b"123456")[::2]),
    ],
)
def test_bad_expectations_of_bytes(
    session: Session, kind: type[Exception], words: str, expect: Any
) -> None:
    with nothing_written(session), pytest.raises(kind, match=words):
        session.write(BASE, b"123", expect=expect)


def test_none_expects_nothing(session: Session) -> None:
    assert session.write_pointers(BASE, [1], expect=None) == 1
    assert session.write_scattered([BASE], [1], expect=None) == 1
    assert session.write(BASE, b"1", expect=None) == 1
    assert session.write_pointers(BASE, [], expect=5) == 0
    assert session.write_pointers(BASE, [], expect=[]) == 0


def test_of_several_values_for_an_address_each_counts(session: Session) -> None:
    session.write_pointers(BASE, [5, 6])
    where = [BASE, BASE + 8, BASE]
    for expect, at, wrong in (([9, 6, 5], 0, 9), ([5, 6, 9], 2, 9)):
        with pytest.raises(ExpectationError) as caught:
            session.write_scattered(where, [1, 2, 3], expect=expect)
        assert caught.value.mismatches == [Mismatch(BASE, wrong, 5)]
        assert (caught.value.total, caught.value.index) == (1, at)
    with pytest.raises(ExpectationError) as caught:
        session.write_scattered(where, [1, 2, 3], expect=7)
    assert caught.value.mismatches == [
        Mismatch(BASE, 7, 5),
        Mismatch(BASE + 8, 7, 6),
        Mismatch(BASE, 7, 5),
    ]
    assert list(session.read_pointers(BASE, 2)) == [5, 6]
    assert session.write_scattered(where, [1, 2, 3], expect=[5, 6, 5]) == 3
    # Overlapping pointers, too: the bytes of the first that the second covers are compared.
    overlapping = [BASE + 4, BASE]
    values = session.read_scattered(overlapping)
    with pytest.raises(ExpectationError) as caught:
        session.write_scattered(overlapping, [1, 2], expect=[values[0] ^ 1, values[1]])
    assert caught.value.mismatches == [Mismatch(BASE + 4, values[0] ^ 1, values[0])]
    assert session.read_scattered(overlapping) == values
    assert session.write_scattered(overlapping, [1, 2], expect=values) == 2


def test_a_hundred_of_many(large: Session) -> None:
    values = pointers(LARGE)
    with pytest.raises(ExpectationError) as caught:
        large.write_pointers(BASE, values, expect=values)
    assert caught.value.total == LARGE
    assert caught.value.mismatches == [Mismatch(BASE + 8 * at, values[at], 0) for at in range(100)]
    assert f"{LARGE:,} of {LARGE:,} pointers are" in str(caught.value)
    addresses = array("Q", range(BASE, BASE + 8 * LARGE, 8))
    with pytest.raises(ExpectationError) as caught:
        large.write_scattered(addresses[::-1], values, expect=values)
    assert caught.value.total == LARGE
    assert caught.value.mismatches == [
        Mismatch(addresses[-1 - at], values[at], 0) for at in range(100)
    ]
    assert large.read_pointers(BASE, LARGE) == array("Q", bytes(8 * LARGE))


def test_nothing_is_recorded_where_it_differs(session: Session, recorder: Recorder) -> None:
    record(session, recorder)
    with pytest.raises(ExpectationError):
        session.write_pointers(BASE, [1], expect=2)
    assert recorder.changes == []
    assert session.write_pointers(BASE, [1], expect=0) == 1
    assert len(recorder.changes) == 1
    forget(session)


def test_progress_hears_nothing_of_it(large: Session) -> None:
    seen: list[int] = []
    with pytest.raises(ExpectationError):
        large.write_pointers(
            BASE, pointers(LARGE), expect=5, progress=lambda done, _: seen.append(done)
        )
    assert seen == []


def test_ctrl_c_while_it_is_compared() -> None:
    """Ctrl-C ends a slow comparison, in which each read returns a few bytes."""
    with simulate([(BASE, 8 << 20)]) as session:
        testing.limit_transfers(session, 9)
        timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
        values = pointers(1 << 20)
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            while True:
                session.write_pointers(BASE, values, expect=0)
                session.write_pointers(BASE, bytes(8 << 20))
        timer.join()
        assert 0 <= vars(caught.value).get("written", 0) <= 1 << 20


def test_memory_that_is_freed_meanwhile_is_held(session: Session) -> None:
    """The call holds the expectation's buffer, which can't be resized meanwhile."""
    expect = array("Q", [0, 0])

    def resize(done: int, total: int) -> None:
        expect.append(1)

    with pytest.raises(BufferError):
        session.write_pointers(BASE, [1, 2], expect=expect, progress=resize)
    expect.append(1)


def test_ctypes_and_dumps_of_it(session: Session) -> None:
    assert session.write_pointers(BASE, [1, 2], expect=(ctypes.c_uint64 * 2)(0, 0)) == 2
    if ctypes.sizeof(ctypes.c_void_p) == 8:  # tests/unit/test_input_buffers.py has what is refused
        assert session.write_pointers(BASE, [1, 2], expect=(ctypes.c_void_p * 2)(1, 2)) == 2
    assert pydbgwrite.Mismatch(1, 2, 3) == (1, 2, 3)
