"""Ctrl-C while something must be finished: the first waits, the second stops the work."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

__all__ = ["HeldInterrupts"]


class HeldInterrupts:
    """Within its block the first Ctrl-C is only noted; any further one is KeyboardInterrupt.

    Only where Ctrl-C would raise KeyboardInterrupt in this thread: a program's own handler stays.
    """

    def __init__(self) -> None:
        self.pressed = 0
        self._held = False

    def __enter__(self) -> Self:
        try:
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._held = True
                signal.signal(signal.SIGINT, self._note)
        except ValueError:  # not the main thread, which is the only one that Ctrl-C interrupts
            self._held = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._held:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.pressed += 1
        if self.pressed > 1:
            raise KeyboardInterrupt
