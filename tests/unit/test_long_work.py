"""Long calls: progress, Ctrl-C and the attributes of exceptions, the GIL, killed targets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.inputs import pointers
from support.processes import Child64
from support.turns import turns_until_another_thread_ran

import pydbgwrite
from pydbgwrite import (
    GIL_RELEASE_BYTES,
    DebugEngineError,
    NoTargetError,
    Session,
    simulate,
    testing,
)

pytestmark = pytest.mark.usefixtures("on_every_processor")
COUNT = 300_000  # pointers: several chunks
VALUES = pointers(COUNT)
RAW = VALUES.tobytes()
PLACES = array("Q", range(0, 8 * COUNT, 16))

Progress = Callable[[int, int], object]

#: Each call moves COUNT * 8 bytes at address 0. The number is the total in the unit of the call.
MOVES: dict[str, tuple[Callable[[Session, Progress], object], int]] = {
    "write_pointers": (lambda s, p: s.write_pointers(0, VALUES, progress=p), COUNT),
    "write_pointers strided": (
        lambda s, p: s.write_pointers(0, memoryview(VALUES[::-1])[::-1], progress=p),
        COUNT,
    ),
    "write_pointers list": (lambda s, p: s.write_pointers(0, list(VALUES), progress=p), COUNT),
    "write_pointers bulk": (
        lambda s, p: s.write_pointers(0, VALUES, via="WriteVirtual", progress=p),
        COUNT,
    ),
    "read_pointers": (lambda s, p: s.read_pointers(0, COUNT, progress=p), COUNT),
    "read_pointers bulk": (
        lambda s, p: s.read_pointers(0, COUNT, via="ReadVirtual", progress=p),
        COUNT,
    ),
    "read_pointers into": (
        lambda s, p: s.read_pointers(0, into=array("Q", RAW), progress=p),
        COUNT,
    ),
    "write": (lambda s, p: s.write(0, RAW, progress=p), 8 * COUNT),
    "read": (lambda s, p: s.read(0, 8 * COUNT, progress=p), 8 * COUNT),
}
WRITES = [name for name in MOVES if name.startswith("write")]


@pytest.fixture
def large() -> Iterator[Session]:
    """Simulated memory for COUNT pointers at address 0."""
    with simulate([(0, 8 * COUNT)]) as session:
        yield session


@pytest.mark.parametrize("name", MOVES)
def test_progress_rises_to_the_total(large: Session, name: str) -> None:
    move, total = MOVES[name]
    seen: list[tuple[int, int]] = []
    move(large, lambda done, of: seen.append((done, of)))
    assert len(seen) >= 2
    assert {of for _, of in seen} == {total}
    steps = [done for done, _ in seen]
    assert steps == sorted(set(steps)), "each call reports more than the last"
    assert steps[0] > 0
    assert steps[-1] == total
    if name in WRITES:
        assert large.read(0, 8 * COUNT) == RAW


def test_progress_of_short_work(large: Session) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    large.write_pointers(0, [1, 2, 3], progress=progress)
    large.read_pointers(0, 2, progress=progress)
    large.write(0, b"12345", progress=progress)
    large.read(0, 4, progress=progress)
    large.write_pointers(0, [], progress=progress)
    assert seen == [(3, 3), (2, 2), (5, 5), (4, 4), (0, 0)]


def test_progress_is_told_what_is_in_place(large: Session) -> None:
    """At each call the pointers that are reported done are in the target, the next one is not."""
    into = array("Q", bytes(8 * COUNT))

    def progress(done: int, total: int) -> None:
        if done < total:
            assert into[done - 1] == VALUES[done - 1]
            assert into[done] == 0

    large.write_pointers(0, VALUES)
    large.read_pointers(0, into=into, progress=progress)
    assert into == VALUES


class Stop(Exception):  # noqa: N818
    """The exception that the callbacks raise."""


def at_first(act: Callable[[], object]) -> Progress:
    """Return a callback that calls `act` once, after the first of at least two chunks."""
    acted = False

    def progress(done: int, total: int) -> None:
        nonlocal acted
        if not acted:
            acted = True
            assert done < total
            act()

    return progress


def raise_stop() -> None:
    """Raise Stop, as a progress bar does if its window was closed."""
    raise Stop("enough")


def in_place(session: Session) -> int:
    """Return how many leading bytes of RAW the target holds. Check that the rest is unchanged."""
    now = session.read(0, 8 * COUNT)
    landed = next((i for i in range(0, 8 * COUNT, 8) if now[i : i + 8] != RAW[i : i + 8]), len(RAW))
    assert not any(now[landed:])
    return landed


@pytest.mark.parametrize("name", WRITES)
def test_progress_that_raises(large: Session, name: str) -> None:
    move, total = MOVES[name]
    with pytest.raises(Stop, match="enough") as caught:
        move(large, at_first(raise_stop))
    error: Any = caught.value
    unit = len(RAW) // total
    assert 0 < error.written < total
    assert in_place(large) == error.written * unit
    noun = "bytes" if unit == 1 else "pointers"
    assert error.__notes__ == [
        f"pydbgwrite: the target holds the first {error.written} of {total} {noun}"
    ]
    assert large.write_pointers(0, [5]) == 1, "the session goes on"


@pytest.mark.parametrize("name", WRITES)
def test_progress_that_raises_at_the_end(large: Session, name: str) -> None:
    move, total = MOVES[name]

    def progress(done: int, of: int) -> None:
        if done == of:
            raise_stop()

    with pytest.raises(Stop) as caught:
        move(large, progress)
    error: Any = caught.value
    assert error.written == total
    assert large.read(0, 8 * COUNT) == RAW
    with pytest.raises(Stop) as caught:
        large.write_pointers(0, [7], progress=progress)
    error = caught.value
    assert error.written == 1
    assert large.read_pointers(0, 1)[0] == 7


@pytest.mark.parametrize("name", [name for name in MOVES if name not in WRITES])
def test_reading_stops_too(large: Session, name: str) -> None:
    with pytest.raises(Stop) as caught:
        MOVES[name][0](large, at_first(raise_stop))
    assert not hasattr(caught.value, "written"), "nothing was to be written"
    assert large.read(0, 8) == bytes(8)


class Slots(Exception):  # noqa: N818
    """An exception that refuses attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def test_exceptions_that_refuse_attributes(large: Session) -> None:
    def act() -> None:
        raise Slots("mine")

    with pytest.raises(Slots, match="mine"):
        large.write_pointers(0, VALUES, progress=at_first(act))
    assert large.write_pointers(0, [5]) == 1


def interrupt() -> None:
    """Send SIGINT to this process, as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
@pytest.mark.parametrize("name", WRITES)
def test_ctrl_c(large: Session, name: str) -> None:
    """The signal comes between two chunks; the write stops at that point."""
    move, total = MOVES[name]
    with pytest.raises(KeyboardInterrupt) as caught:
        move(large, at_first(interrupt))
    error: Any = caught.value
    assert 0 < error.written < total
    assert in_place(large) == error.written * (len(RAW) // total)
    assert "the target holds the first" in error.__notes__[0]
    assert large.write_pointers(0, [5]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="setitimer")
def test_signals_reach_writes_without_a_callback(large: Session) -> None:
    """A timer's signal is handled between the chunks of a call that runs no Python code itself."""

    def handler(number: int, frame: object) -> None:
        raise Stop("in time")

    before = signal.signal(signal.SIGALRM, handler)
    written = None
    try:
        while written is None:  # the signal may also come between two calls
            large.write(0, bytes(8 * COUNT))
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while True:
                    large.write_pointers(0, VALUES)
                    large.write(0, bytes(8 * COUNT))
            except Stop as error:
                notes = getattr(error, "__notes__", [""])
                if "pointers" in notes[0]:
                    written = getattr(error, "written", None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 0 < written <= COUNT
    assert in_place(large) == 8 * written


ENDLESS = 1 << 33  # elements that share one value in memory: a check takes minutes

LOOKS: dict[str, Callable[[Session, Any], object]] = {
    "direct": lambda s, many: s.write_pointers(0, many),
    "bulk": lambda s, many: s.write_pointers(0, many, via="WriteVirtual"),
    "scattered": lambda s, many: s.write_scattered(many, many),
}


@pytest.mark.skipif(sys.platform == "win32", reason="setitimer")
@pytest.mark.parametrize("name", LOOKS)
def test_signals_come_through_before_anything_is_written(name: str) -> None:
    """A signal ends the check of values for a 32-bit target, or of scattered addresses."""
    numpy = pytest.importorskip("numpy")
    many = numpy.broadcast_to(numpy.uint64(8), ENDLESS)

    def handler(number: int, frame: object) -> None:
        raise Stop("in time")

    with simulate([(0, 64)], pointer_size=4) as session:
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(Stop) as caught:
                LOOKS[name](session, many)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert getattr(caught.value, "written", None) == 0
        assert session.read(0, 64) == bytes(64)


def test_progress_hears_nothing_of_the_look_through() -> None:
    """The check of the values does not call progress, not even with 0."""
    count = 5 << 20
    numpy = pytest.importorskip("numpy")
    seen: list[int] = []
    with simulate([(0, 4 * count)], pointer_size=4) as session:
        session.write_pointers(
            0, numpy.arange(count, dtype="u8"), progress=lambda done, of: seen.append(done)
        )
        assert session.read_pointers(4 * (count - 1), 1)[0] == count - 1
    assert seen == sorted(set(seen))
    assert seen[0] > 0
    assert seen[-1] == count


def test_other_threads_make_progress_during_one_long_write() -> None:
    """No thread demands the GIL here: the other thread counts only if the write releases it."""
    values = array("Q", bytes(64 << 20))
    counted, go_on = array("Q", [0]), True

    def count() -> None:
        while go_on:
            counted[0] += 1
            time.sleep(0)  # releases the GIL

    before = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    with simulate([(0, 8 * len(values))]) as session:
        thread.start()
        sys.setswitchinterval(1000)
        try:
            for _ in range(50):
                begun = counted[0]
                session.write_pointers(0, values)
                during = counted[0] - begun
                if during > 1:
                    break
        finally:
            sys.setswitchinterval(before)
            go_on = False
            thread.join()
    assert during > 1


HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()

GIL_CALLS: dict[str, Callable[[Session, int], object]] = {
    "write": lambda s, n: s.write(0, RAW[:n]),
    "read": lambda s, n: s.read(0, n),
    "write_pointers": lambda s, n: s.write_pointers(0, VALUES[: n // 8]),
    "read_pointers": lambda s, n: s.read_pointers(0, n // 8),
    "write_virtual": lambda s, n: s.data_spaces.write_virtual(0, RAW[:n]),
    "read_virtual": lambda s, n: s.data_spaces.read_virtual(0, n),
    "write_pointers_virtual": lambda s, n: s.data_spaces.write_pointers_virtual(
        0, VALUES[: n // 8]
    ),
    "read_pointers_virtual": lambda s, n: s.data_spaces.read_pointers_virtual(0, n // 8),
    "fill_virtual": lambda s, n: s.data_spaces.fill_virtual(0, n, b"x"),
    # One scattered pointer takes as long as 64 consecutive bytes.
    "write_scattered": lambda s, n: s.write_scattered(PLACES[: n // 64], VALUES[: n // 64]),
    "read_scattered": lambda s, n: s.read_scattered(PLACES[: n // 64]),
}


@pytest.mark.skipif(not HAS_GIL, reason="a free-threaded CPython has no GIL")
@pytest.mark.parametrize("name", GIL_CALLS)
def test_the_gil_is_released_from_the_threshold_on(large: Session, name: str) -> None:
    call = GIL_CALLS[name]
    assert turns_until_another_thread_ran(lambda: call(large, GIL_RELEASE_BYTES), 1_000_000)
    assert not turns_until_another_thread_ran(lambda: call(large, GIL_RELEASE_BYTES - 8), 5_000)


def test_both_sides_of_the_threshold_move_the_same(large: Session) -> None:
    for count in (GIL_RELEASE_BYTES // 8 - 1, GIL_RELEASE_BYTES // 8, GIL_RELEASE_BYTES // 8 + 1):
        large.write(0, bytes(8 * COUNT))
        assert large.write_pointers(0, VALUES[:count]) == count
        assert large.read_pointers(0, count) == VALUES[:count]
        assert large.read_pointers(8 * count, 1)[0] == 0


def test_a_fault_in_a_later_chunk(large: Session) -> None:
    """Progress has reported some pointers; the error has the exact count of written pointers."""
    seen: list[int] = []
    testing.fail_writes(large, 8 * 250_000 + 3)
    with pytest.raises(DebugEngineError) as caught:
        large.write_pointers(0, VALUES, progress=lambda done, total: seen.append(done))
    assert (caught.value.written, caught.value.index) == (250_000, 250_000)
    assert seen
    assert seen[-1] <= 250_000
    assert in_place(large) == 8 * 250_000


def test_a_target_that_vanishes_between_chunks() -> None:
    """A write to a child that is killed between two chunks raises NoTargetError."""
    if sys.platform != "linux":
        pytest.skip("Linux processes")
    for suspend in (True, False):
        with Child64(pages=2048) as child, pydbgwrite.attach(child.pid, suspend=suspend) as session:
            size = 2048 * 4096
            values = pointers(size // 8)
            with pytest.raises(DebugEngineError) as caught:
                session.write_pointers(child.areas["rw"], values, progress=at_first(child.kill))
            assert isinstance(caught.value, NoTargetError)
            assert caught.value.written is None
            assert caught.value.count == size // 8


LONG_CALL = """
import signal
import subprocess
from pydbgwrite import simulate

class Stop(Exception):
    pass

def stop(number, frame):
    raise Stop

signal.signal(signal.SIGALRM, stop)
with simulate([(0, 1 << 40)]) as session:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        CALL
    except Stop:
        print("stopped", session.read((1 << 32) - 2, 1))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="setitimer")
@pytest.mark.parametrize(
    "call", ["search_virtual(0, 1 << 40, b'xyz')", "fill_virtual(0, (1 << 32) - 1, b'x')"]
)
def test_a_call_of_the_raw_layer_without_chunks(call: str) -> None:
    """A signal ends the call long before the call is complete."""
    script = LONG_CALL.replace("CALL", f"session.data_spaces.{call}")
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == f"stopped {bytes(1)!r}\n"
