"""Exceptions that signal handlers raise: the library's `except` clauses let them pass."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import TypeVar

    _Kind = TypeVar("_Kind", bound=BaseException)

__all__ = ["is_from_handler", "not_from_handler"]


def not_from_handler(*kinds: type[_Kind]) -> tuple[type[_Kind], ...]:
    """For an `except` clause: these kinds, except where a signal's handler raised the exception.

    A handler runs between any two instructions, and may raise anything, OSError and ValueError
    among them. What it raises is for the caller, and says nothing of the work that it interrupted.
    """
    error = sys.exception()
    return () if error is not None and is_from_handler(error) else kinds


def is_from_handler(error: BaseException) -> bool:
    """Return whether a signal's handler raised the exception, by its traceback so far.

    Its traceback then has the handler's frame, which is known by the frame that it interrupted: the
    handler's second argument. A handler may have deleted that, but then it still is a handler.
    """
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        ours = str(frame.f_globals.get("__name__")).partition(".")[0] == "pydbgwrite"
        if not ours and (_has_interrupted_frame(frame) or frame.f_code in _handlers()):
            return True
        trace = trace.tb_next
    return False


def _has_interrupted_frame(frame: FrameType) -> bool:
    interrupted = frame.f_back
    for value in frame.f_locals.values():
        values = value if type(value) is tuple else (value,)
        if interrupted is not None and any(each is interrupted for each in values):
            return True
    return False


def _handlers() -> set[object]:
    """Return the code of the functions and methods that handle signals now."""
    # Who sets one has imported it. It is not imported here, where a free descriptor may be missing.
    signal = sys.modules.get("signal")
    if signal is None:
        return set()
    handlers = map(signal.getsignal, signal.valid_signals())
    return {getattr(each, "__code__", None) for each in handlers}
