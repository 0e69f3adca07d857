"""Ctrl-C is held back while work must be finished, and is delivered afterwards."""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
import threading
from types import FrameType
from typing import Any

import pytest

from pydbgwrite._interrupts import HeldInterrupts
from pydbgwrite._journal.spool import KEPT_IN_MEMORY, Spool


def press(times: int) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


def test_the_first_waits_and_the_second_does_not() -> None:
    with HeldInterrupts() as held:
        press(1)
        with pytest.raises(KeyboardInterrupt):
            press(1)
    assert held.pressed == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("times", [0, 1, 5])
def test_every_one_waits(times: int) -> None:
    with HeldInterrupts(every=True) as held:
        press(times)
    assert held.pressed == times
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if times:
        with pytest.raises(KeyboardInterrupt):
            held.pass_on()
    held.pass_on()  # delivered only once


def test_those_of_a_moment_are_passed_to_the_block_around_it() -> None:
    with HeldInterrupts() as outer:
        with HeldInterrupts(every=True) as inner:
            press(1)
        assert outer.pressed == 0
        inner.pass_on()
        assert outer.pressed == 1
        with HeldInterrupts(every=True) as inner:
            press(2)
        with pytest.raises(KeyboardInterrupt):
            inner.pass_on()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("every", [False, True])
def test_a_handler_of_the_program_stays(every: bool) -> None:
    seen: list[int] = []

    def own(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGINT, own)
    try:
        with HeldInterrupts(every=every) as held:
            press(2)
            assert seen == [signal.SIGINT] * 2
        held.pass_on()
        assert held.pressed == 0
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_holds_nothing() -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            with HeldInterrupts(every=True) as held:
                pass
            held.pass_on()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not caught
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("presses", [1, 2, 3])
def test_a_temporary_file_opened_within_an_undo(
    monkeypatch: pytest.MonkeyPatch, presses: int
) -> None:
    """Even presses that stop the undo leave no file open; an open one causes a ResourceWarning."""
    opened = tempfile.TemporaryFile

    def opened_with_ctrl_c(**options: Any) -> Any:
        file = opened(**options)
        press(presses)
        return file

    monkeypatch.setattr(tempfile, "TemporaryFile", opened_with_ctrl_c)
    spool = Spool()
    stopped = False
    with HeldInterrupts() as undo:
        try:
            spool.write(b"x" * (KEPT_IN_MEMORY + 1))
        except KeyboardInterrupt:
            stopped = True
    assert stopped == (presses > 1)
    assert undo.pressed == min(presses, 2)
    spool.close()
    gc.collect()


def test_an_exit_that_is_interrupted() -> None:
    """If a handler raises before the exit's first line, the next Ctrl-C is delivered."""

    class TimeOverError(Exception):
        pass

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        del argument
        if frame.f_code is HeldInterrupts.__exit__.__code__:
            if event == "line":
                raise TimeOverError
            return trace
        return None

    def work() -> None:
        with HeldInterrupts():
            sys.settrace(trace)

    before = sys.gettrace()
    try:
        with pytest.raises(TimeOverError):
            work()
    finally:
        sys.settrace(before)
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
