"""Names of a large program, as two states of this package look them up: for compare.py."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable

from peers.ways import Timed, looped

__all__ = ["NAMERS"]

_ADDRESSES = 1_000_000


def _first(pid: int, program: str) -> Timed:
    """Attach, look up one name, and close."""
    import pydbgwrite

    def work() -> None:
        with pydbgwrite.attach(pid, suspend=False) as session:
            session.resolve(f"{program}!main")

    return looped(work)


def _many(pid: int, program: str) -> Timed:
    """Name a million addresses at random among the program's functions."""
    import pydbgwrite

    session = pydbgwrite.attach(pid, suspend=False)
    places = sorted(symbol.address for symbol in session.symbols("shop::*", module=program))
    chance = random.Random(2)
    wanted = array("Q", (chance.randrange(places[0], places[-1]) for _ in range(_ADDRESSES)))
    return looped(lambda: session.names(wanted))


#: What is looked up; each prepares it for a process and its program.
NAMERS: dict[str, Callable[[int, str], Timed]] = {"first": _first, "many": _many}
