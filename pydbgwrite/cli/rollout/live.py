"""The live progress of a rollout: how many processes of each machine have which outcome."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydbgwrite.cli.output import printable
from pydbgwrite.cli.progress import Bar, progress_bar

if TYPE_CHECKING:
    from pydbgwrite.rollout import Outcome

__all__ = ["Live", "live"]

#: Thousands of processes can be done in a second: seconds between two pictures.
_PAUSE: Final = 0.1


class Live:
    """The progress= of a rollout, if stderr is a terminal."""

    def __init__(self, what: str, bar: Bar | None) -> None:
        self._what = what
        self._bar = bar
        self._states: dict[tuple[str, int], str] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._drawn = -math.inf

    @property
    def progress(self) -> Callable[[int, int, Outcome], object] | None:
        """The callable; None if nothing is shown."""
        return None if self._bar is None else self._show

    def erase(self) -> None:
        """Erase the bar, until there is more progress."""
        if self._bar is not None:
            self._bar.end()

    def _show(self, done: int, total: int, outcome: Outcome) -> None:
        assert self._bar is not None  # or progress is None
        process = outcome.host, outcome.pid
        before = self._states.get(process)
        if before is not None:  # an undo gives it another outcome
            self._counts[outcome.host, before] -= 1
        self._states[process] = outcome.state
        self._counts[outcome.host, outcome.state] += 1
        now = time.monotonic()
        if now - self._drawn < _PAUSE:
            return
        self._drawn = now
        of_host: dict[str, list[str]] = {}
        for (host, state), count in self._counts.items():
            if count:
                of_host.setdefault(host, []).append(f"{count:,} {state}")
        shown = "; ".join(f"{host}: {', '.join(each)}" for host, each in of_host.items())
        self._bar.what = f"{self._what}  {printable(shown)}"
        self._bar(done, total)


@contextmanager
def live(what: str) -> Iterator[Live]:
    """Show the progress of the block's rollout. what: the label, such as "applying"."""
    with progress_bar(what) as bar:
        yield Live(what, bar)
