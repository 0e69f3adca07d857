"""A signal at any line of the package: its handler raises, and that exception must propagate."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pydbgwrite

__all__ = ["count_lines", "press_at"]

_PACKAGE = str(Path(pydbgwrite.__file__).parent) + os.sep


def count_lines(work: Callable[[], object]) -> int:
    """Return how many lines of the package the work executes in this thread."""
    count = 0

    def pressed() -> None:
        nonlocal count
        count += 1

    _traced(work, pressed)
    return count


def press_at(line: int, work: Callable[[], object], error: Exception) -> bool:
    """Do the work; a signal's handler raises the error at the line with that number.

    False: the work had fewer lines. Asserts that the same error object propagates.
    """
    left = line
    pressed = False

    def handler(number: int, frame: FrameType | None) -> None:
        raise error

    def press() -> None:
        nonlocal left, pressed
        left -= 1
        if left < 0 and not pressed:
            pressed = True
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, handler)
    try:
        _traced(work, press)
    except type(error) as caught:
        if caught is not error:
            raise
    else:
        assert not pressed, f"what the handler raised at line {line} was lost"
    finally:
        signal.signal(signal.SIGTERM, before)
    return pressed


def _traced(work: Callable[[], object], at_each_line: Callable[[], None]) -> None:
    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        if event == "line" and not _in_finalizer(frame):
            at_each_line()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)


def _in_finalizer(frame: FrameType | None) -> bool:
    """Is this called by a __del__()? An exception there goes to sys.unraisablehook()."""
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None
