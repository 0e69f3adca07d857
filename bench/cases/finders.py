"""Searching one process for one value: this package, and its peers' own finders."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from statistics import median

from lib.measuring import Figure
from lib.targets import Target, started
from peers.contest import Entrant, Outcome, Worker
from peers.finders import FINDERS

from cases.find import MARK, fill

__all__ = ["finders"]

_OURS = tuple(FINDERS)[:2]


def finders(*, quick: bool) -> Iterator[Figure]:
    """Compare each finder with this package on all processors; the fastest has a limit."""
    with started(256 << 20 if quick else 1 << 30) as target:
        expected = [target.address + offset for offset in fill(target)]
        outcomes = {way: Outcome() for way in FINDERS}
        for number in range(2 if quick else 3):
            order = list(FINDERS)[:: -1 if number % 2 else 1]
            for way in order:
                print(f"  {way}", file=sys.stderr, flush=True)
                _search(way, target, outcomes[way], expected)
    yield from _figures(f"find one value in {target.size >> 20:,} MiB", outcomes)


def _search(way: str, target: Target, outcome: Outcome, expected: list[int]) -> None:
    """Attach, search twice, the first time uncounted, and release."""
    if way == "gdb" and shutil.which("gdb") is None:
        outcome.cannot = "gdb is not installed"
    if outcome.cannot:
        return
    with Worker(Entrant(way)) as worker:
        answer = worker.ask(
            do="prepare",
            way=way,
            kind="find",
            pid=target.pid,
            address=target.address,
            size=target.size,
            value=MARK,
        )
        for _ in range(2):
            if "cannot" not in answer:
                answer = worker.ask(do="run", calls=1)
        outcome.cannot = str(answer.get("cannot", ""))
        if not outcome.cannot:
            outcome.times.append(answer["ns"])
            outcome.verified = outcome.verified is not False and answer["found"] == expected
            worker.ask(do="release")


def _figures(case: str, outcomes: dict[str, Outcome]) -> Iterator[Figure]:
    ours = outcomes[_OURS[0]]
    peers = [way for way in outcomes if way not in _OURS and outcomes[way].times]
    fastest = min(peers, key=lambda way: median(outcomes[way].times), default=None)
    for way, outcome in outcomes.items():
        ratio = outcome.ratio_to(ours) if outcome.times and not outcome.cannot else None
        yield Figure(
            case=case,
            contestant_name=way,
            baseline_name=_OURS[0],
            value=ratio,
            unit="x",
            limit=None,
            contestant=median(outcome.times) if outcome.times else None,
            baseline=median(ours.times),
            ratio=ratio,
            verified=outcome.verified,
            note=outcome.cannot,
        )
    if fastest is not None:
        ratio = ours.ratio_to(outcomes[fastest])
        yield Figure(
            case=case,
            contestant_name=_OURS[0],
            baseline_name=f"the fastest peer, {fastest}",
            value=ratio,
            unit=f"x {fastest}",
            limit=1.0,
            contestant=median(ours.times),
            baseline=median(outcomes[fastest].times),
            ratio=ratio,
            verified=ours.verified,
        )
