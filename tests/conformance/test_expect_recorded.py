"""expect= in a transaction: what is recorded is compared, before anything is written."""

from __future__ import annotations

import ctypes
import signal
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy
import pytest
from support import com
from support.cases import EngineCase

from pydbgwrite import DebugEngineError, ExpectationError, Session, Transaction, simulate, testing

BASE = 0x10000
MILLION = 1 << 20
PIECE = 1 << 17  # pointers in a record
Opened: TypeAlias = Callable[[Session], Transaction]


@pytest.fixture(params=["memory", "file", "durable"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Open a transaction whose records are in memory, in a journal, or in one that is synced."""
    numbers = iter(range(100))

    def make(session: Session) -> Transaction:
        if request.param == "memory":
            return session.transaction()
        journal = tmp_path / f"{next(numbers)}.journal"
        return session.transaction(journal, durable=request.param == "durable")

    return make


def refused(write: Callable[[], int]) -> list[Any]:
    """Return all that the exception of a write tells."""
    with pytest.raises(DebugEngineError) as caught:
        write()
    error = caught.value
    told = [type(error), str(error), error.hresult, error.written, error.address, error.count]
    return [*told, *(getattr(error, name, None) for name in ("index", "mismatches", "total"))]


def refusals(case: EngineCase) -> list[Callable[[], int]]:
    """Return writes whose expectation is not met, and that nothing can be read of."""
    session, width = case.session, case.pointer_size
    held = session.read_pointers(case.rw, 500)
    image = session.read(case.rw, case.rw_size)
    new = case.values(500)
    wrong = held[:]
    wrong[250] ^= 0x10
    where = range(case.rw, case.rw + 500 * width, width)
    all_held = [*session.read_pointers(case.rw, case.rw_size // width), 0]
    return [
        lambda: session.write_pointers(case.rw, new, expect=wrong),
        lambda: session.write_pointers(case.rw, new, expect=numpy.array(wrong[::-1], "u8")[::-1]),
        lambda: session.write_pointers(case.rw, new, expect=held[0]),
        lambda: session.write_pointers(case.rw, [1] * len(all_held), expect=all_held),
        lambda: session.write_scattered(where, new, expect=wrong),
        lambda: session.write_scattered(where, new, expect=wrong, spans=False),
        lambda: session.write_scattered([case.rw, case.end], [1, 2], expect=[held[0], 0]),
        lambda: session.write(case.rw, b"x" * 100, expect=image[:99] + b"\xff"),
        lambda: session.write(case.rw, b"x" * (len(image) + 1), expect=image + b"x"),
    ]


def test_a_refusal_tells_the_same_as_without_a_transaction(
    engine_case: EngineCase, opened: Opened
) -> None:
    case, session = engine_case, engine_case.session
    before = session.read(case.rw, case.rw_size)
    for write in refusals(case):
        plain = refused(write)
        with opened(session) as transaction:
            assert refused(write) == plain
            assert len(transaction.changes) == 0
    assert case.peek(case.rw, case.rw_size) == before


def test_what_is_recorded_is_what_was_expected(engine_case: EngineCase, opened: Opened) -> None:
    case, session = engine_case, engine_case.session
    width = case.pointer_size
    before = session.read(case.rw, case.rw_size)
    held = session.read_pointers(case.rw, 400)
    new = case.values(400)
    where = range(case.rw, case.rw + 400 * width, width)
    writes: list[Callable[[], int]] = [
        lambda: session.write_pointers(case.rw, new, expect=held, verify=True),
        lambda: session.write_scattered(where, new, expect=held, verify=True),
        lambda: session.write_scattered(where, new, expect=held, spans=False),
        lambda: session.write(case.rw, case.pack(new), expect=case.pack(list(held))),
    ]
    for write in writes:
        with opened(session) as transaction:
            assert write() == len(new) or write is writes[-1]
            assert session.read(case.rw, 400 * width) == case.pack(new)
            (change,) = transaction.changes
            assert (change.old, change.new) == (case.pack(list(held)), case.pack(new))
            assert transaction.undo().complete
            assert session.read(case.rw, case.rw_size) == before


@pytest.mark.parametrize(("width", "count"), [(8, PIECE + 1), (4, 2 * PIECE + 1), (8, 13 * PIECE)])
def test_of_several_pieces_none_is_written_before_all_are_compared(
    width: int, count: int, opened: Opened
) -> None:
    with simulate([(BASE, count * width)], pointer_size=width) as session:
        old = numpy.arange(count, dtype="u8")
        new = old[::-1].copy()
        session.write_pointers(BASE, old)
        wrong = old.copy()
        wrong[-1] += 1
        with opened(session) as transaction:
            with pytest.raises(ExpectationError) as caught:
                session.write_pointers(BASE, new, expect=wrong)
            assert (caught.value.index, caught.value.written) == (count - 1, 0)
            assert len(transaction.changes) == 0
            assert numpy.array_equal(session.read_pointers(BASE, count), old)
            assert session.write_pointers(BASE, new, expect=old, verify=True) == count
            assert session.write_pointers(BASE, old, expect=new) == count
            assert session.write_pointers(BASE, numpy.full(count, 7, "u8"), expect=old) == count
            assert session.write_pointers(BASE, new, expect=7) == count
            assert transaction.undo().complete
            assert numpy.array_equal(session.read_pointers(BASE, count), old)


def test_a_write_that_fails_between_its_pieces_is_known_and_undone(opened: Opened) -> None:
    """All pieces are recorded then; two of eight and a part of the third are in the target."""
    with simulate([(BASE, 8 * MILLION)]) as session:
        bad = 2 * PIECE + 100
        with pytest.raises(DebugEngineError) as caught, opened(session) as transaction:
            testing.fail_writes(session, BASE + 8 * bad)
            session.write_pointers(BASE, numpy.full(MILLION, 5, "u8"), expect=0)
        assert caught.value.written == bad
        assert transaction.report is not None
        assert transaction.report.complete
        testing.clear(session)
        assert session.read(BASE, 8 * MILLION) == bytes(8 * MILLION)


def test_ctrl_c_between_the_pieces(opened: Opened) -> None:
    with simulate([(BASE, 8 * MILLION)]) as session:

        def press(done: int, total: int) -> None:
            if done >= PIECE:
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt), opened(session) as transaction:
            session.write_pointers(BASE, numpy.full(MILLION, 5, "u8"), expect=0, progress=press)
        assert transaction.report is not None
        assert transaction.report.complete
        assert session.read(BASE, 8 * MILLION) == bytes(8 * MILLION)


@contextmanager
def reads(session: Session) -> Iterator[list[tuple[int, int]]]:
    """Yield the addresses and sizes of all calls of ReadVirtual from now on."""
    pointer = com.query(session._interface_address(), com.DATA_SPACES_4)
    place = ctypes.c_void_p.from_address(pointer)
    table = (ctypes.c_void_p * 44).from_buffer_copy(
        ctypes.string_at(place.value or 0, 44 * com.WORD)
    )
    kind = com.FUNCTION(
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
    )
    read_virtual = kind(table[3] or 0)
    seen: list[tuple[int, int]] = []

    def read(this: int, offset: int, buffer: int, size: int, count: int) -> int:
        seen.append((offset, size))
        return int(read_virtual(this, offset, buffer, size, count))

    kept, counting = place.value, kind(read)
    table[3] = ctypes.cast(counting, ctypes.c_void_p).value
    place.value = ctypes.addressof(table)
    try:
        yield seen
    finally:
        place.value = kept
        com.release(pointer)


def test_each_byte_is_read_once_before_the_write(tmp_path: Path) -> None:
    """Expected and recorded, in memory and in a journal that is synced; once more to verify it."""
    with simulate([(BASE, 8 * MILLION)]) as session:
        old, new = array("Q", bytes(8 * MILLION)), array("Q", [9]) * MILLION
        for journal, durable in ((None, None), (tmp_path / "journal", True)):
            for verify in (False, True):
                with session.transaction(journal, durable=durable), reads(session) as seen:
                    session.write_pointers(BASE, new, expect=old, verify=verify)
                assert sum(size for _, size in seen) == 8 * MILLION * (1 + verify)
                old, new = new, old
                if journal is not None:
                    journal.unlink()
