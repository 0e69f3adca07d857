"""verify=True: the written pointers are read back and compared; differences are reported."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.cases import EngineCase
from support.inputs import pointers
from support.places import SUPPORT
from support.processes import Child64
from support.recorder import Recorder, record

import pydbgwrite
from pydbgwrite import (
    DebugEngineError,
    Mismatch,
    NoTargetError,
    Session,
    TargetAccessError,
    VerificationError,
    simulate,
    testing,
)

BASE = 0x10000
MIRROR = SUPPORT / "mirror_child.py"
LARGE = 300_000  # pointers: several blocks, several chunks


@pytest.fixture
def large() -> Iterator[Session]:
    """Yield a session on 8 MiB of simulated memory."""
    with simulate([(BASE, 8 << 20)]) as session:
        yield session


@contextmanager
def mirror() -> Iterator[tuple[int, int, int]]:
    """Yield a process id, and the address and size of memory that is mapped twice in a row."""
    child = subprocess.Popen(
        [sys.executable, "-I", str(MIRROR)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        try:
            start, size = map(int, child.stdout.readline().split())
            yield child.pid, start, size
        finally:
            child.kill()


@pytest.fixture(params=[True, False], ids=["stopped", "running"])
def mirrored(request: pytest.FixtureRequest) -> Iterator[tuple[Session, int, int]]:
    """Yield a session on mirrored memory: bytes written past the size show from the start on."""
    if sys.platform == "win32":
        from support.dbgeng_cases import REASON

        if REASON is not None:
            pytest.skip(REASON)
    with (
        mirror() as (pid, start, size),
        pydbgwrite.attach(pid, suspend=request.param) as session,
    ):
        yield session, start, size


@pytest.mark.parametrize("via", ["WritePointersVirtual", "WriteVirtual", "auto"])
@pytest.mark.parametrize("offset", [0, 3])
def test_what_was_written_is_there(engine_case: EngineCase, via: Any, offset: int) -> None:
    case, session = engine_case, engine_case.session
    values = array("Q", case.values(200))
    address = case.rw + offset
    assert session.write_pointers(address, values, via=via, verify=True) == 200
    assert session.read(address, 200 * case.pointer_size) == case.pack(list(values))
    assert session.write_pointers(address, memoryview(values)[::-3], via=via, verify=True) == 67
    assert session.write_pointers(address, [], via=via, verify=True) == 0
    assert session.write(address, b"bytes", verify=True) == 5
    assert session.write(address, b"", verify=True) == 0
    assert session.write_scattered([address, case.rw + 512, address], [1, 2, 3], verify=True) == 3
    assert session.write_scattered([], [], verify=True) == 0


def test_extended_and_truncated_values(engine_case: EngineCase) -> None:
    """A 32-bit target holds the low half, which is compared."""
    case, session = engine_case, engine_case.session
    if case.pointer_size == 8:
        assert session.write_pointers(case.rw, [2**64 - 1, 2**63], verify=True) == 2
        return
    extended = 2**64 - 5
    assert session.write_pointers(case.rw, [extended, 7], verify=True) == 2
    assert session.write_scattered([case.rw, case.rw + 64], [extended, 7], verify=True) == 2
    assert session.write_pointers(case.rw, [2**40 + 9], truncate=True, verify=True) == 1
    assert session.write_scattered([case.rw], [2**40 + 8], truncate=True, verify=True) == 1
    assert session.read(case.rw, 4) == b"\x08\0\0\0"


def test_an_earlier_error_stays(engine_case: EngineCase) -> None:
    case, session = engine_case, engine_case.session
    values = case.values(case.rw_size // case.pointer_size + 1)
    with pytest.raises(TargetAccessError) as caught:
        session.write_pointers(case.rw, values, verify=True)
    assert caught.value.written == len(values) - 1
    assert "Write" in str(caught.value.method)


def test_memory_that_lies_at_two_places(mirrored: tuple[Session, int, int]) -> None:
    """The last values written change the first ones, and the engine says S_OK."""
    session, start, size = mirrored
    width = session.pointer_size
    half = 40
    values = list(range(1, 2 * half + 1))
    address = start + size - width * half
    for via in ("WritePointersVirtual", "WriteVirtual"):
        session.write(start, bytes(size))
        assert session.write_pointers(address, values, via=via, verify=True) == len(values)
    # The writes begin at the start, so that their last pointers overwrite their first ones.
    held = size // width
    count = held + 3
    values = list(range(1, count + 1))
    places = range(start, start + width * count, width)
    writes: list[Callable[[], int]] = [
        lambda: session.write_pointers(start, values, via="auto", verify=True),
        lambda: session.write_scattered(places, values, verify=True),
    ]
    for write in writes:
        session.write(start, bytes(size))
        with pytest.raises(VerificationError) as caught:
            write()
        error = caught.value
        assert error.total == 3
        assert error.mismatches == [
            Mismatch(start + width * at, at + 1, held + at + 1) for at in range(3)
        ]
        assert (error.written, error.index, error.count) == (0, 0, count)
        assert error.address == start
        assert f"3 of {count:,} pointers are not what was written" in str(error)
        assert f"0x{start:x}: 0x1 was written, and the target holds 0x{held + 1:x}" in str(error)
    with pytest.raises(VerificationError) as caught:
        session.write(start, b"a" * size + b"b", verify=True)
    assert caught.value.mismatches == [Mismatch(start, 0x61, 0x62)]
    assert caught.value.total == 1


def test_a_write_that_is_lost(session: Session) -> None:
    testing.lose_writes(session, BASE + 8 * 5 + 1)
    testing.lose_writes(session, BASE + 8 * 7)
    with pytest.raises(VerificationError) as caught:
        session.write_pointers(BASE, [0x1111] * 10, verify=True)
    error = caught.value
    assert error.mismatches == [
        Mismatch(BASE + 40, 0x1111, 0x11),
        Mismatch(BASE + 56, 0x1111, 0x1100),
    ]
    assert (error.total, error.written, error.index, error.count) == (2, 5, 5, 10)
    assert (error.hresult, error.method, error.address) == (None, None, BASE)
    assert "the target holds the first 5 of 10 pointers" in str(error)
    assert isinstance(error, DebugEngineError)
    again = pickle.loads(pickle.dumps(error))
    assert (again.mismatches, again.total, str(again)) == (error.mismatches, 2, str(error))
    assert session.write_pointers(BASE, [0x1111] * 10) == 10  # no error without verify=True


def test_one_pointer_that_is_lost(narrow: Session) -> None:
    testing.lose_writes(narrow, BASE)
    with pytest.raises(VerificationError, match="the pointer at 0x10000 is not what was written"):
        narrow.write_pointers(BASE, [2**64 - 1], verify=True)
    with pytest.raises(VerificationError) as caught:
        narrow.write_scattered([BASE + 8, BASE], [5, 2**64 - 1], verify=True)
    assert caught.value.mismatches == [Mismatch(BASE, 0xFFFFFFFF, 0xFFFFFF00)]
    assert (caught.value.written, caught.value.index, caught.value.address) == (1, 1, BASE)
    with pytest.raises(VerificationError, match="the byte at 0x10000"):
        narrow.write(BASE, b"x", verify=True)


@pytest.mark.parametrize("step", [1, -2])
def test_a_hundred_of_many(large: Session, step: int) -> None:
    """All differences in all blocks and chunks are counted; the first hundred are kept in order."""
    lost = range(0, LARGE, 1000)
    for index in lost:
        testing.lose_writes(large, BASE + 8 * index)
    values = pointers(LARGE * abs(step))
    view = memoryview(values)[::step]
    with pytest.raises(VerificationError) as caught:
        large.write_pointers(BASE, view, verify=True)
    wanted = [at for at in lost if view[at] % 256]
    assert caught.value.total == len(wanted)
    assert [each.address for each in caught.value.mismatches] == [
        BASE + 8 * at for at in wanted[:100]
    ]
    assert [each.wanted for each in caught.value.mismatches] == [view[at] for at in wanted[:100]]
    assert caught.value.written == wanted[0]
    order = array("Q", (BASE + 8 * at for at in reversed(range(LARGE))))
    with pytest.raises(VerificationError) as caught:
        large.write_scattered(order, values[:LARGE], verify=True)
    mine = [at for at in range(LARGE) if (LARGE - 1 - at) % 1000 == 0 and values[at] % 256]
    assert caught.value.total >= len(mine)
    assert caught.value.mismatches[0].address == order[mine[0]]
    assert len(caught.value.mismatches) == 100
    addresses = [each.address for each in caught.value.mismatches]
    assert addresses == sorted(addresses, reverse=True)


def test_of_several_values_for_an_address_the_last_counts(session: Session) -> None:
    where = [BASE + 64, BASE, BASE + 64, BASE + 4, BASE + 64]
    assert session.write_scattered(where, [1, 2, 3, 2**63 + 5, 6], verify=True) == 5
    testing.lose_writes(session, BASE + 64)
    with pytest.raises(VerificationError) as caught:
        session.write_scattered(where, [1, 2, 3, 2**63 + 5, 7], verify=True)
    assert caught.value.mismatches == [Mismatch(BASE + 64, 7, 6)]
    assert (caught.value.total, caught.value.written, caught.value.index) == (1, 0, 0)


def test_what_can_not_be_read_back(session: Session) -> None:
    testing.fail_reads(session, BASE + 80)
    writes: list[Callable[[], int]] = [
        lambda: session.write_pointers(BASE, [5] * 20, verify=True),
        lambda: session.write(BASE + 72, b"123456789", verify=True),
    ]
    for write, written in zip(writes, (10, 8), strict=True):
        with pytest.raises(TargetAccessError, match="can't be read back") as caught:
            write()
        assert caught.value.written == written
        assert caught.value.method == "ReadVirtual"
        assert f"0x{BASE + 80:x}" in str(caught.value)
    with pytest.raises(TargetAccessError, match="can't be read back") as caught:
        session.write_scattered([BASE, BASE + 80], [5, 5], verify=True)
    assert caught.value.index == 1


def test_a_recorded_write_is_verified_too(session: Session, recorder: Recorder) -> None:
    testing.lose_writes(session, BASE + 8)
    record(session, recorder)
    with pytest.raises(VerificationError) as caught:
        session.write_pointers(BASE, [1, 2, 3], verify=True)
    assert caught.value.written == 1
    assert recorder.cuts == 0
    assert len(recorder.changes) == 1


@pytest.mark.parametrize("verify", [True, False])
def test_progress_counts_what_is_written(large: Session, verify: bool) -> None:
    seen: list[tuple[int, int]] = []
    values = pointers(LARGE)
    large.write_pointers(
        BASE, values, verify=verify, expect=0, progress=lambda *step: seen.append(step)
    )
    steps = [done for done, _ in seen]
    assert steps == sorted(set(steps))
    assert steps[-1] == LARGE


def test_ctrl_c_while_it_is_read_back(large: Session) -> None:
    """All values are written by then, and the exception says so."""
    values = pointers(LARGE)

    def interrupt(done: int, total: int) -> None:
        if done == total:
            signal.raise_signal(signal.SIGINT)  # noticed when the next engine call returns

    with pytest.raises(KeyboardInterrupt) as caught:
        large.write_pointers(BASE, values, verify=True, progress=interrupt)
    assert vars(caught.value)["written"] == LARGE
    assert large.read_pointers(BASE, LARGE) == values


@pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")
def test_a_target_that_ends_before_it_is_read_back() -> None:
    """All values are written; what the target holds now is unknown, and `written` is None."""
    count = 100_000  # more than one chunk, so that progress reports the end before the read-back
    with Child64(pages=256) as child:

        def kill(done: int, total: int) -> None:
            if done == total:
                child.kill()

        with pydbgwrite.attach(child.pid, suspend=False) as session:
            with pytest.raises(NoTargetError) as caught:
                session.write_pointers(
                    child.areas["rw"], pointers(count), verify=True, progress=kill
                )
            assert caught.value.written is None
            assert "no longer answers" in str(caught.value)
