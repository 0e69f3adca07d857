"""A progress bar for work that takes longer than a second, if stderr is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.output import console

if TYPE_CHECKING:
    import threading

    from rich.progress import Progress

__all__ = ["Bar", "progress_bar", "waiting"]

#: Seconds before there is anything to see.
_PATIENCE: Final = 1.0


@contextmanager
def progress_bar(what: str) -> Iterator[Bar | None]:
    """Return a callable for progress=, or None if stderr is not a terminal.

    what: the label, such as "reading".
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar = Bar(what)
    try:
        yield bar
    finally:
        bar.end()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that the block waits for another process, if stderr is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    import threading

    ended = threading.Event()
    # The block's own thread waits in the kernel, and can't draw.
    drawing = threading.Thread(target=_draw_until, args=(ended, what), daemon=True)
    drawing.start()
    try:
        yield
    finally:
        ended.set()
        drawing.join()


def _draw_until(ended: threading.Event, what: str) -> None:
    if ended.wait(max(_PATIENCE, 0)):
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(
            *columns,
            console=console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as shown:
            shown.add_task(what, total=None)
            ended.wait()
    except not_from_handler(OSError):
        pass  # the terminal has gone


class Bar:
    """A bar that the library's calls redraw between chunks, since a session has one thread."""

    def __init__(self, what: str) -> None:
        #: The label, which can change.
        self.what = what
        self._started: float | None = None
        self._shown: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """Draw it, once the work has taken a while."""
        if self._shown is None:
            now = time.monotonic()
            if self._started is None:
                self._started = now
            if now - self._started < _PATIENCE:
                return
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
            from rich.progress import TimeRemainingColumn as Remaining

            self._shown = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                Remaining(),
                console=console(stderr=True),
                transient=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._shown.add_task(self.what, total=total)
            self._shown.start()
        task = self._shown.task_ids[0]
        self._shown.update(task, completed=done, total=total, description=self.what, refresh=True)

    def end(self) -> None:
        """Erase the bar, until there is more progress."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None
