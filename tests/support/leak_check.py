"""Does a call leak? The call is made many times, and the blocks that Python holds are counted."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

from pydbgwrite import Session

TURNS, MANY_TURNS = 30, 10_000

#: Without a GIL the collector takes several rounds, since some references are dropped later.
COLLECTIONS = 1 if getattr(sys, "_is_gil_enabled", lambda: True)() else 4

Case = Callable[[Session], object]


def run(case: Case, session: Session) -> None:
    """Make the call once; an exception is dropped."""
    with suppress(Exception):
        result = case(session)
        if isinstance(result, Session) and not result.closed:
            result.close()


def leaks(case: Case, session: Session, turns: int = TURNS) -> bool:
    """Does the number of blocks grow by at least one in two turns?

    Caches of the interpreter that settle() does not empty grow for a while. So an apparent leak is
    tried again with more turns, at last with enough turns to make the caches insignificant.
    """
    return all(
        growth(case, session, tried) >= tried // 2 for tried in (turns, 25 * turns, MANY_TURNS)
    )


def settle() -> None:
    """Collect garbage, and empty the cache of type attributes: it keeps names that C looked up."""
    for _ in range(COLLECTIONS):
        gc.collect()
    clear: Callable[[], None] | None = getattr(sys, "_clear_internal_caches", None)  # 3.13 on
    if clear is None:
        clear = sys._clear_type_cache
    clear()


def growth(case: Case, session: Session, turns: int) -> int:
    """Return how many more blocks Python's allocators hold after that many turns."""
    for _ in range(5):
        run(case, session)
    settle()
    tracemalloc.start()
    try:
        run(case, session)
        settle()
        before = len(tracemalloc.take_snapshot().traces)
        for _ in range(turns):
            run(case, session)
        settle()
        return len(tracemalloc.take_snapshot().traces) - before
    finally:
        tracemalloc.stop()
