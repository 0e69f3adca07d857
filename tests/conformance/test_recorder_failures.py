"""Session._set_recorder: failures, Ctrl-C, and the calls that a session refuses meanwhile."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import weakref
from array import array
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from support.cases import EngineCase
from support.inputs import pointers
from support.processes import Child64
from support.recorder import Change, Recorder, forget, record

import pydbgwrite
from pydbgwrite import (
    DebugEngineError,
    PointerRangeError,
    Session,
    SessionBusyError,
    SessionClosedError,
    TargetAccessError,
    _core,
    simulate,
    testing,
)

RECORD_BYTES = _core.RECORD_BYTES


@pytest.fixture
def large() -> Iterator[Session]:
    """Yield a session on 8 MiB of simulated memory at 0x100000."""
    with simulate([(0x100000, 8 << 20)]) as session:
        yield session


def test_a_range_past_the_end_is_found_before_the_first_record(
    session: Session, recorder: Recorder
) -> None:
    record(session, recorder)
    writes: list[Callable[[], int]] = [
        lambda: session.write_pointers(2**64 - 8, [1, 2]),
        lambda: session.write(2**64 - 8, bytes(9)),
        lambda: session.write_scattered([0x10000, 2**64 - 7], [1, 2]),
    ]
    for write in writes:
        with pytest.raises(ValueError, match=r"past 2\*\*64"):
            write()
    assert recorder.changes == []
    assert recorder.cuts == 0


@pytest.mark.parametrize("piece", [0, 2])
def test_a_record_that_fails_lets_nothing_of_its_piece_out(
    large: Session, recorder: Recorder, piece: int
) -> None:
    values = pointers(3 * RECORD_BYTES // 8)
    recorder.fail_at = piece
    record(large, recorder)
    with pytest.raises(OSError, match="the disk is full") as caught:
        large.write_pointers(0x100000, values)
    written = piece * RECORD_BYTES // 8
    assert vars(caught.value)["written"] == written
    assert f"holds the first {written} of {len(values)} pointers" in caught.value.__notes__[0]
    assert recorder.cuts == 0
    held = large.read(0x100000, 8 * len(values))
    assert held == values[:written].tobytes() + bytes(8 * (len(values) - written))


def test_a_write_that_fails_in_a_later_piece(large: Session, recorder: Recorder) -> None:
    """The error's counts are those of the whole call, and cut_short is called once."""
    values = pointers(3 * RECORD_BYTES // 8)
    failing = len(values) // 2 + 100
    testing.fail_writes(large, 0x100000 + 8 * failing)
    record(large, recorder)
    with pytest.raises(TargetAccessError) as caught:
        large.write_pointers(0x100000, values)
    assert caught.value.written == failing
    assert caught.value.index == failing
    assert caught.value.count == len(values)
    assert caught.value.address == 0x100000
    assert f"0x{0x100000 + 8 * failing:x}" in str(caught.value)
    assert recorder.cuts == 1
    assert len(recorder.changes) == 2


def test_a_scattered_write_that_fails_in_a_later_piece(large: Session, recorder: Recorder) -> None:
    count = 2 * RECORD_BYTES // 8
    addresses = array("Q", range(0x100000, 0x100000 + 16 * count, 16))
    values = pointers(count)
    failing = count - 10
    testing.fail_writes(large, addresses[failing])
    record(large, recorder)
    with pytest.raises(TargetAccessError) as caught:
        large.write_scattered(addresses, values)
    assert caught.value.written == failing
    assert caught.value.index == failing
    assert caught.value.address == addresses[failing]
    assert recorder.cuts == 1


def test_a_value_that_was_there_before_counts(large: Session, recorder: Recorder) -> None:
    """`written` counts the values that the target holds now, from element 0 on, not those sent."""
    values = pointers(2 * RECORD_BYTES // 8)
    record(large, recorder)

    def change_behind_it(change: Change) -> None:
        if len(recorder.changes) == 2:
            other.write(0x100000, b"\xff" * 8)

    with pydbgwrite.wrap(large._interface_address()) as other:
        recorder.on_record = change_behind_it
        testing.fail_writes(large, 0x100000 + RECORD_BYTES + 80)
        with pytest.raises(TargetAccessError) as caught:
            large.write_pointers(0x100000, values)
    assert caught.value.written == 0
    assert caught.value.index == 0


@pytest.mark.parametrize("way", ["pointers", "bulk", "scattered"])
def test_a_value_that_stopped_fitting_is_not_counted(recorder: Recorder, way: str) -> None:
    """A value in a later piece becomes too wide after all values were checked."""
    count, changed = 700_000, 600_000
    values = array("Q", bytes(8 * count))
    recorder.on_record = lambda change: values.__setitem__(changed, 2**40)
    with simulate([(0x100000, 4 * count)], pointer_size=4) as session:
        record(session, recorder)
        with pytest.raises(PointerRangeError) as caught:
            if way == "scattered":
                session.write_scattered(range(0x100000, 0x100000 + 4 * count, 4), values)
            else:
                session.write_pointers(
                    0x100000,
                    values,
                    via="WriteVirtual" if way == "bulk" else "WritePointersVirtual",
                )
        assert caught.value.index == changed
        assert caught.value.written == changed
        forget(session)


def test_what_can_not_be_read_is_not_written(engine_case: EngineCase, recorder: Recorder) -> None:
    """A range that can't be read is not written, even if the write itself would succeed."""
    case, session = engine_case, engine_case.session
    count = case.rw_size // case.pointer_size
    values = case.values(count + 1)
    record(session, recorder)
    with pytest.raises(TargetAccessError) as caught:
        session.write_pointers(case.rw, values)
    assert caught.value.method == "ReadVirtual"
    assert caught.value.written == 0
    assert "can't be recorded" in str(caught.value)
    assert f"0x{case.end:x}" in str(caught.value)
    with pytest.raises(TargetAccessError) as caught:
        session.write_scattered([case.rw, case.end, case.rw + 64], values[:3])
    assert caught.value.index == 1
    assert f"0x{case.end:x}" in str(caught.value)
    with pytest.raises(TargetAccessError):
        session.write(case.end - 4, b"12345678")
    forget(session)
    assert recorder.changes == []
    assert recorder.cuts == 0
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_a_piece_that_can_not_be_read(large: Session, recorder: Recorder) -> None:
    values = pointers(2 * RECORD_BYTES // 8)
    testing.fail_reads(large, 0x100000 + RECORD_BYTES + 80)
    record(large, recorder)
    with pytest.raises(TargetAccessError) as caught:
        large.write_pointers(0x100000, values)
    assert caught.value.index == RECORD_BYTES // 8 + 10
    assert caught.value.written == RECORD_BYTES // 8
    assert f"0x{0x100000 + RECORD_BYTES + 80:x}" in str(caught.value)
    assert len(recorder.changes) == 1
    assert recorder.cuts == 0


def test_what_is_recorded_is_what_is_written(large: Session, recorder: Recorder) -> None:
    """The recorded values are written, even if the caller's memory changes after the record."""
    values = array("Q", [1, 2, 3])
    recorder.on_record = lambda change: values.__setitem__(1, 99)
    record(large, recorder)
    large.write_pointers(0x100000, values)
    assert list(large.read_pointers(0x100000, 3)) == [1, 2, 3]
    data = bytearray(b"abc")
    recorder.on_record = lambda change: data.__setitem__(1, 0)
    large.write(0x100000, data)
    assert large.read(0x100000, 3) == b"abc"


@pytest.mark.parametrize("done", [0, 1])
def test_progress_that_raises(large: Session, recorder: Recorder, done: int) -> None:
    """An exception inside a piece cuts it short; at a piece's end there is nothing to cut."""
    values = pointers(3 * RECORD_BYTES // 8)
    steps: list[int] = []

    def progress(at: int, total: int) -> None:
        steps.append(at)
        if len(steps) > done:
            raise RuntimeError("enough")

    record(large, recorder)
    with pytest.raises(RuntimeError, match="enough") as caught:
        large.write_pointers(0x100000, values, progress=progress)
    written = vars(caught.value)["written"]
    assert written == steps[-1]
    assert len(caught.value.__notes__) == 1
    in_the_middle = written % (RECORD_BYTES // 8) != 0
    assert recorder.cuts == int(in_the_middle)
    assert large.read_pointers(0x100000, written) == values[:written]
    assert not any(large.read_pointers(0x100000 + 8 * written, 100))


def test_ctrl_c_in_record(large: Session, recorder: Recorder) -> None:
    if sys.platform == "win32":
        recorder.on_record = lambda change: signal.raise_signal(signal.SIGINT)
    else:
        recorder.on_record = lambda change: os.kill(os.getpid(), signal.SIGINT)
    record(large, recorder)
    with pytest.raises(KeyboardInterrupt) as caught:
        large.write_pointers(0x100000, pointers(3 * RECORD_BYTES // 8))
    assert vars(caught.value)["written"] in (0, RECORD_BYTES // 16, RECORD_BYTES // 8)


def test_cut_short_that_fails(session: Session) -> None:
    """The exception of the write propagates, with a note of the failure in cut_short."""

    def cut_short() -> None:
        raise OSError("the disk is full")

    testing.fail_writes(session, 0x10000)
    session._set_recorder(lambda *change: None, cut_short)
    with pytest.raises(TargetAccessError) as caught:
        session.write_pointers(0x10000, [1])
    forget(session)
    assert "OSError('the disk is full')" in caught.value.__notes__[0]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_a_signal_in_cut_short(session: Session, kind: type[BaseException]) -> None:
    """The exception of the signal handler propagates; its context is the reason of the cut."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise kind("of the handler")

    testing.fail_writes(session, 0x10000)
    session._set_recorder(lambda *change: None, lambda: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(kind, match="of the handler") as caught:
            session.write_pointers(0x10000, [1])
    finally:
        signal.signal(signal.SIGTERM, before)
        forget(session)
    assert isinstance(caught.value.__context__, TargetAccessError)


def test_the_session_is_busy_meanwhile(session: Session, recorder: Recorder) -> None:
    caught: list[type[BaseException]] = []

    def enter(*change: object) -> None:
        for call in (
            lambda: session.read(0x10000, 1),
            lambda: session.write(0x10000, b"1"),
            lambda: forget(session),
            session.close,
        ):
            try:
                call()
            except SessionBusyError as error:
                caught.append(type(error))

    session._set_recorder(enter, enter)
    testing.fail_writes(session, 0x10000)
    with pytest.raises(TargetAccessError):
        session.write(0x10000, b"x")
    forget(session)
    assert caught == [SessionBusyError] * 8


def test_one_at_a_time(session: Session, recorder: Recorder) -> None:
    record(session, recorder)
    with pytest.raises(SessionBusyError, match="a transaction is open"):
        record(session, recorder)
    forget(session)
    forget(session)
    record(session, recorder)


@pytest.mark.parametrize(
    ("record_", "cut"), [(None, print), (print, None), (1, print), (print, "cut")]
)
def test_what_it_takes(session: Session, record_: Any, cut: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        session._set_recorder(record_, cut)
    with pytest.raises(TypeError, match="2 arguments, got 1"):
        session._set_recorder(None)  # type: ignore[call-overload]
    assert session.write(0x10000, b"1") == 1


RAW_WRITES: dict[str, Callable[[Session], object]] = {
    "write_virtual": lambda s: s.data_spaces.write_virtual(0x10000, b"1"),
    "write_virtual_uncached": lambda s: s.data_spaces.write_virtual_uncached(0x10000, b"1"),
    "write_pointers_virtual": lambda s: s.data_spaces.write_pointers_virtual(0x10000, [1]),
    "write_physical": lambda s: s.data_spaces.write_physical(0x10000, b"1"),
    "fill_virtual": lambda s: s.data_spaces.fill_virtual(0x10000, 8, b"1"),
}


@pytest.mark.parametrize("name", RAW_WRITES)
def test_raw_writes_are_refused(session: Session, recorder: Recorder, name: str) -> None:
    record(session, recorder)
    with pytest.raises(SessionBusyError, match=rf"{name}.*a transaction is open"):
        RAW_WRITES[name](session)
    assert session.data_spaces.read_virtual(0x10000, 8) == bytes(8)
    assert recorder.changes == []
    forget(session)


@pytest.mark.parametrize("name", ["detach", "terminate", "close"])
def test_it_does_not_end_meanwhile(session: Session, recorder: Recorder, name: str) -> None:
    record(session, recorder)
    with pytest.raises(SessionBusyError, match=rf"{name}.*a transaction is open"):
        getattr(session, name)()
    assert not session.closed
    session.write(0x10000, b"1")
    assert len(recorder.changes) == 1
    forget(session)
    getattr(session, name)()
    forget(session)  # does nothing on a session that has ended
    with pytest.raises(SessionClosedError):
        record(session, recorder)


def test_a_target_that_goes_away(engine_case: EngineCase, recorder: Recorder) -> None:
    case, session = engine_case, engine_case.session
    record(session, recorder)
    case.take_away()
    with pytest.raises(DebugEngineError) as caught:
        session.write_pointers(case.rw, case.values(3))
    assert caught.value.written is None
    assert recorder.changes == []
    forget(session)


def test_the_collector_finds_a_session_and_its_recorder() -> None:
    class Holder(Recorder):
        session: Session

    with pytest.warns(ResourceWarning, match="unclosed session"):
        session = simulate([(0x10000, 4096)])
        holder = Holder()
        holder.session = session
        record(session, holder)  # the cycle: session, its recorder's methods, holder, session
        gone = weakref.ref(holder), weakref.ref(session)
        del session, holder
        gc.collect()
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")
def test_a_script_that_ends_with_a_recorder_lets_the_target_go() -> None:
    script = """
import sys, pydbgwrite
session = pydbgwrite.attach(int(sys.argv[1]))
changes = []
session._set_recorder(lambda *change: changes.append((session, change)), changes.clear)
session.write_pointers(int(sys.argv[2]), [0x1122334455667788])
"""
    with Child64() as child:
        arguments = [str(child.pid), str(child.areas["rw"])]
        done = subprocess.run([sys.executable, "-c", script, *arguments], timeout=120)
        assert done.returncode == 0
        assert child.read(child.areas["rw"], 8).hex() == "8877665544332211"  # the child runs
