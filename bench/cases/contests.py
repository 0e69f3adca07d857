"""The raw call, this package and its peers on the same cases."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

import numpy
from lib.measuring import Figure
from lib.targets import Numbers
from peers.contest import BASELINE, Contest, Outcome, hold

__all__ = ["contests", "peers"]

_ROOM = 256 << 20
_MILLION = 1 << 20
_OURS = ("pydbgwrite", "pydbgwrite, WriteVirtual")
_FASTEST_PEER_RATIO = 0.7
_HUGE = "16M pointers"


def contests(*, quick: bool) -> Iterator[Contest]:
    """Yield the contests; quick leaves out those that take a peer many seconds."""
    yield Contest("1 pointer", "contiguous", 1, calls=1000)
    yield Contest("100 pointers", "contiguous", 100, calls=1000)
    yield Contest("10k pointers", "contiguous", 10_000, calls=20)
    yield Contest("1M pointers", "contiguous", _MILLION)
    yield Contest(_HUGE, "contiguous", 16 * _MILLION)
    yield Contest("1M pointers, 32-bit target", "contiguous", _MILLION, width=4)
    yield Contest("a list of 1M ints", "list", _MILLION)
    yield Contest("1M pointers, verified", "verified", _MILLION)
    yield from recorded()
    # A million single calls take a peer many seconds.
    for count, noun in ((10_000, "10k"), (_MILLION, "1M"))[: 1 if quick else 2]:
        for stride in (16, 64, 512, 4096):
            room = 2 * _ROOM if stride == 4096 else _ROOM
            places = numpy.arange(min(count, room // stride), dtype=numpy.uint64)
            fits = noun if len(places) == count else f"{len(places) // 1024}k"
            yield _scattered(f"{fits} pointers {stride} bytes apart", places * numpy.uint64(stride))
        chance = numpy.random.default_rng(1)
        at_random = chance.permutation(_ROOM // 8)[:count].astype(numpy.uint64)
        yield _scattered(f"{noun} pointers at random", at_random * numpy.uint64(8))


def recorded() -> Iterator[Contest]:
    """Yield the contests whose writes can be taken back."""
    yield Contest("1M pointers, in a transaction", "recorded", _MILLION)
    yield Contest("1M pointers, with a journal", "recorded", _MILLION, journal=True)
    chance = numpy.random.default_rng(3)
    places = chance.permutation(_ROOM // 8)[: _MILLION // 4].astype(numpy.uint64) * numpy.uint64(8)
    for ending, journal in (("in a transaction", False), ("with a journal", True)):
        name = f"256k pointers at random, {ending}"
        yield Contest(name, "recorded", len(places), places=places, journal=journal)


def _scattered(name: str, places: Numbers) -> Contest:
    return Contest(name, "scattered", len(places), places=places)


def peers(*, quick: bool) -> Iterator[Figure]:
    """Hold all contests; compare the largest with the fastest peer, too."""
    for contest in contests(quick=quick):
        print(f"  {contest.name}", file=sys.stderr, flush=True)
        rounds, seconds, least = (5, 1.0, 1) if quick else (51, 6.0, 3)
        outcomes = hold(contest, rounds=rounds, seconds=seconds, least=least)
        for way, outcome in outcomes.items():
            yield _figure(contest, way, outcome, outcomes[BASELINE])
        if contest.name == _HUGE:
            yield from _against_the_fastest(contest, outcomes)


def _figure(contest: Contest, way: str, outcome: Outcome, base: Outcome) -> Figure:
    known = bool(outcome.times and base.times)
    return Figure(
        case=contest.name,
        contestant_name=way,
        baseline_name=BASELINE,
        value=outcome.ratio_to(base) if known else None,
        unit="x",
        limit=None,
        contestant=median(outcome.times) if known else None,
        baseline=median(base.times) if known else None,
        ratio=outcome.ratio_to(base) if known else None,
        verified=outcome.verified,
        note=outcome.cannot,
        count=contest.count,
    )


def _against_the_fastest(contest: Contest, outcomes: dict[str, Outcome]) -> Iterator[Figure]:
    others = {
        way: outcome
        for way, outcome in outcomes.items()
        if way not in (BASELINE, *_OURS) and outcome.times
    }
    ours = outcomes[_OURS[0]]
    if others and ours.times:
        fastest = min(others, key=lambda way: median(others[way].times))
        ratio = ours.ratio_to(others[fastest])
        yield Figure(
            case=contest.name,
            contestant_name=_OURS[0],
            baseline_name=f"the fastest peer, {fastest}",
            value=ratio,
            unit=f"x {fastest}",
            limit=_FASTEST_PEER_RATIO,
            contestant=median(ours.times),
            baseline=median(others[fastest].times),
            ratio=ratio,
            verified=ours.verified,
            count=contest.count,
        )
