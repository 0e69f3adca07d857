"""A progress bar for work that takes longer than a second, if stderr is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydbgwrite.cli.output import console

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["progress_bar"]

#: Seconds before there is anything to see.
_PATIENCE: Final = 1.0


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], object] | None]:
    """Return a callable for progress=, or None if stderr is not a terminal.

    what: the label, such as "reading".
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(what)
    try:
        yield bar
    finally:
        bar.end()


class _Bar:
    """A bar that the library's calls redraw between chunks, since a session has one thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._shown is None:
            if time.monotonic() - self._started < _PATIENCE:
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
            self._shown.add_task(self._what, total=total)
            self._shown.start()
        task = self._shown.task_ids[0]
        self._shown.update(task, completed=done, total=total, refresh=True)

    def end(self) -> None:
        """Erase the bar."""
        if self._shown is not None:
            self._shown.stop()
