"""Does a call leak? It is made many times over, and the blocks that Python holds are counted."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

from pydbgwrite import Session

TURNS, MANY_TURNS = 60, 10_000

Case = Callable[[Session], object]


def run(case: Case, session: Session) -> None:
    """One turn; whatever it raises is dropped."""
    with suppress(Exception):
        result = case(session)
        if isinstance(result, Session) and not result.closed:
            result.close()


def leaks(case: Case, session: Session, turns: int = TURNS) -> bool:
    """Do blocks pile up, at least one in two turns?

    The interpreter's own caches grow for a while: its cache of type attributes, which has 4,096
    entries, keeps the names that C code looked up. So what looks like a leak is tried again with
    more turns, at last with so many that they do not count.
    """
    return all(
        growth(case, session, tried) >= tried // 2 for tried in (turns, 25 * turns, MANY_TURNS)
    )


def growth(case: Case, session: Session, turns: int) -> int:
    """Blocks that Python's allocators hold more after so many turns than before."""
    for _ in range(5):
        run(case, session)
    gc.collect()
    tracemalloc.start()
    try:
        run(case, session)
        gc.collect()
        before = len(tracemalloc.take_snapshot().traces)
        for _ in range(turns):
            run(case, session)
        gc.collect()
        return len(tracemalloc.take_snapshot().traces) - before
    finally:
        tracemalloc.stop()
