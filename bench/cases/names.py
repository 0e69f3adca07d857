"""Names of a large program: the first look-ups against nm, and a million names in a call."""

from __future__ import annotations

import array
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lib.large_program import large_program
from lib.measuring import Figure, compared, measured_in_turns, timed

import pydbgwrite

__all__ = ["names"]

_SYMBOLS = 200_000
_ADDRESSES = 1_000_000
_RESOLVE_RATIO = 2.0
_PATTERN_RATIO = 4.0
_LIMIT_S = 1.0


def names(*, quick: bool) -> Iterator[Figure]:
    """Resolve, list and name symbols of a C++ program; each table is read anew but the last."""
    count = _SYMBOLS // 10 if quick else _SYMBOLS
    with large_program(count) as (program, pid), pydbgwrite.attach(pid) as session:
        every = session.symbols("shop::*", module=program.name)
        wanted = every[len(every) * 3 // 4]
        for case, form in (("mangled", wanted.name), ("demangled", wanted.demangled)):
            text = f"{program.name}!{form}"
            assert session.resolve(text) == wanted.address
            pairs = measured_in_turns(
                timed(lambda text=text: _forgetful(session).resolve(text)),  # type: ignore[misc]
                timed(lambda: _nm(program)),
                rounds=5 if quick else 15,
            )
            yield compared(
                f"first resolve of {count:,} symbols, {case}",
                "resolve",
                "nm",
                pairs,
                _RESOLVE_RATIO,
            )
        for pattern in ("*widget_stream*", "*::*(int)"):
            pairs = measured_in_turns(
                timed(lambda pattern=pattern: _forgetful(session).symbols(pattern)),  # type: ignore[misc]
                timed(lambda: _nm(program, "-C")),
                rounds=3 if quick else 7,
            )
            case = f"first symbols of {count:,}, {pattern}"
            yield compared(case, "symbols", "nm -C", pairs, _PATTERN_RATIO)
        yield _many(session, every, _ADDRESSES // 10 if quick else _ADDRESSES)


def _forgetful(session: pydbgwrite.Session) -> pydbgwrite.Session:
    """Return the session without what it has read of files, as one that was just opened."""
    session._kept_files = None
    return session


def _nm(program: Path, *options: str) -> None:
    subprocess.run(["nm", *options, str(program)], stdout=subprocess.DEVNULL, check=True)


def _many(session: pydbgwrite.Session, every: list[pydbgwrite.Symbol], count: int) -> Figure:
    """Name addresses at random; the tables are read by the call that is not counted."""
    chance = random.Random(2)
    first, last = every[0].address, every[-1].address
    addresses = array.array("Q", (chance.randrange(first, last) for _ in range(count)))
    found = session.names(addresses)
    pairs = measured_in_turns(
        timed(lambda: session.names(addresses)), timed(lambda: list(map(hex, addresses))), rounds=5
    )
    seconds = sorted(pairs.contestant)[len(pairs.contestant) // 2] / 1e9
    return Figure(
        case=f"names of {count:,} addresses",
        contestant_name="names",
        baseline_name="hex of each",
        value=seconds,
        unit="s",
        limit=_LIMIT_S * count / _ADDRESSES,
        contestant=seconds * 1e9,
        baseline=sorted(pairs.baseline)[len(pairs.baseline) // 2],
        ratio=pairs.ratio,
        note=found[0],
        count=count,
    )
