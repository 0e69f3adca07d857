"""What else ends a command ends it as Ctrl-C does: a write that it cuts short is undone first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final, NoReturn

__all__ = ["ends_as_interrupts"]

#: kill(1), a terminal that is closed, Ctrl-Break.
_NAMES: Final = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextlib.contextmanager
def ends_as_interrupts() -> Iterator[None]:
    """Within this block these signals raise KeyboardInterrupt, which says which it was.

    Those that are ignored (nohup), or that somebody else handles, are left alone.
    """
    taken: list[signal.Signals] = []
    try:
        if threading.current_thread() is threading.main_thread():
            for name in _NAMES:
                number: signal.Signals | None = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _interrupt)
                    taken.append(number)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(f"interrupted by {signal.Signals(number).name}")
