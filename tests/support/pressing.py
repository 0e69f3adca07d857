"""A signal at any line or instruction of the package: what its handler raises must propagate."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Literal, TypeAlias

import pydbgwrite

__all__ = ["count_places", "press_at"]

_PACKAGE = str(Path(pydbgwrite.__file__).parent) + os.sep
_Place: TypeAlias = Literal["line", "opcode"]


def count_places(work: Callable[[], object], kind: _Place = "line", file: str = "") -> int:
    """Return how many lines or instructions of the package the work executes in this thread.

    Only those in files whose names begin with `file` count.
    """
    count = 0

    def pressed() -> None:
        nonlocal count
        count += 1

    _traced(work, pressed, kind, file)
    return count


def press_at(
    place: int,
    work: Callable[[], object],
    error: Exception,
    kind: _Place = "line",
    file: str = "",
) -> bool:
    """Do the work; a signal's handler raises the error at the line, or so, with that number.

    False: the work had fewer. Asserts that the same error object propagates.
    """
    left = place
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
        _traced(work, press, kind, file)
    except type(error) as caught:
        if caught is not error:
            raise
    else:
        assert not pressed, f"what the handler raised at {kind} {place} was lost"
    finally:
        signal.signal(signal.SIGTERM, before)
    return pressed


def _traced(
    work: Callable[[], object], at_each: Callable[[], None], kind: _Place, file: str
) -> None:
    def trace(frame: FrameType, event: str, argument: object) -> Any:
        folder, _, name = frame.f_code.co_filename.rpartition(os.sep)
        if not f"{folder}{os.sep}".startswith(_PACKAGE) or not name.startswith(file):
            return None
        frame.f_trace_opcodes = kind == "opcode"
        if event == kind and not _in_finalizer(frame):
            at_each()
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
