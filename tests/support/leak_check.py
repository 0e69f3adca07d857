"""Does a call leak? It is made many times over, and the blocks that Python holds are counted."""

from __future__ import annotations

import gc
import sys
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

    Other caches of the interpreter than settle() empties grow for a while. So what looks like a
    leak is tried again with more turns, at last with so many that they do not count.
    """
    return all(
        growth(case, session, tried) >= tried // 2 for tried in (turns, 25 * turns, MANY_TURNS)
    )


def settle() -> None:
    """Collect garbage, and empty the cache of type attributes: it keeps names that C looked up."""
    gc.collect()
    clear: Callable[[], None] | None = getattr(sys, "_clear_internal_caches", None)  # 3.13 on
    if clear is None:
        clear = sys._clear_type_cache
    clear()


def growth(case: Case, session: Session, turns: int) -> int:
    """Blocks that Python's allocators hold more after so many turns than before."""
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
