"""Hold Ctrl-C back while some work must be finished."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["HeldInterrupts"]


class HeldInterrupts:
    """Within the block the first Ctrl-C is only noted. A second one raises KeyboardInterrupt.

    It has an effect only if Ctrl-C would raise KeyboardInterrupt in this thread: a program's own
    handler stays. every=True is for short work that must not be split: every Ctrl-C is noted, also
    within another block, and pass_on() then delivers it.
    """

    def __init__(self, *, every: bool = False) -> None:
        self.pressed = 0
        self._every = every
        self._before: Callable[[int, FrameType | None], object] | None = None
        self._holder: FrameType | None = None  # the function with the block

    def __enter__(self) -> Self:
        try:
            handler = signal.getsignal(signal.SIGINT)
            if handler is signal.default_int_handler or (
                self._every and isinstance(getattr(handler, "__self__", None), HeldInterrupts)
            ):
                assert callable(handler)
                self._before = handler
                self._holder = sys._getframe(1)
                signal.signal(signal.SIGINT, self._note)
        except not_from_handler(ValueError):  # not the main thread, which Ctrl-C interrupts
            self._before = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._holder = None

    def pass_on(self) -> None:
        """Deliver a noted Ctrl-C, after the block."""
        noted, self.pressed = self.pressed, 0
        for _ in range(noted):
            assert self._before is not None
            self._before(signal.SIGINT, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        caller = frame
        while caller is not None and caller is not self._holder:
            caller = caller.f_back
        if frame is not None and caller is None and self._before is not None:
            # Another signal's handler raised within __exit__, before it restored this one.
            signal.signal(signal.SIGINT, self._before)
            self._before(number, frame)
            return
        self.pressed += 1
        if self.pressed > 1 and not self._every:
            raise KeyboardInterrupt
