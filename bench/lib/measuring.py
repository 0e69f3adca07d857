"""Measuring two things against each other on a machine that is never quiet.

Absolute times mean little where others use the machine too. So contestant and baseline take turns,
the order changes from round to round, and what counts is the median over the rounds of what the two
times of one round say of each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from statistics import median

__all__ = ["Figure", "Pairs", "compared", "measured_in_turns", "timed"]

#: Does the work once (or a batch of it) and gives the nanoseconds one unit of it took.
Timed = Callable[[], float]


@dataclass(frozen=True)
class Pairs:
    """What was measured: one time of each a round, in nanoseconds."""

    contestant: tuple[float, ...]
    baseline: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """The contestant's time to the baseline's, of each round."""
        return [ours / base for ours, base in zip(self.contestant, self.baseline, strict=True)]

    @property
    def ratio(self) -> float:
        """Median of the paired ratios."""
        return median(self.ratios)

    def excess(self, factor: float) -> float:
        """Median of what the contestant took over `factor` times the baseline, in nanoseconds."""
        return median(
            ours - factor * base for ours, base in zip(self.contestant, self.baseline, strict=True)
        )


def timed(work: Callable[[], object], calls: int = 1) -> Timed:
    """Do it `calls` times, in a Python loop; nanoseconds each."""

    def one_batch() -> float:
        begun = time.perf_counter_ns()
        for _ in repeat(None, calls):
            work()
        return (time.perf_counter_ns() - begun) / calls

    return one_batch


def measured_in_turns(contestant: Timed, baseline: Timed, rounds: int) -> Pairs:
    """Run both `rounds` times, after one round that does not count."""
    contestant()
    baseline()
    ours: list[float] = []
    base: list[float] = []
    for number in range(rounds):
        if number % 2:
            ours.append(contestant())
            base.append(baseline())
        else:
            base.append(baseline())
            ours.append(contestant())
    return Pairs(tuple(ours), tuple(base))


@dataclass(frozen=True)
class Figure:
    """One line of the result.

    value is what the limit is about, in `unit`; a limit of None says that it is reported, and not
    judged. contestant and baseline are medians in nanoseconds (None where the figure is not about
    time), of work on `count` pointers where that is given. verified: the target itself found what
    was written; None where nothing is written. A contestant that can't do the case has no value,
    and a note that says why.
    """

    case: str
    contestant_name: str
    baseline_name: str
    value: float | None
    unit: str
    limit: float | None
    contestant: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    verified: bool | None = None
    note: str = ""
    count: int | None = None

    @property
    def met(self) -> bool:
        """Is the limit kept, by a result that is right?"""
        kept = self.limit is None or (self.value is not None and self.value <= self.limit)
        return kept and self.verified is not False


def compared(
    case: str,
    contestant: str,
    baseline: str,
    pairs: Pairs,
    limit: float | None,
    *,
    value: float | None = None,
    unit: str = "x",
    verified: bool | None = None,
    count: int | None = None,
) -> Figure:
    """What came of two that took turns; what the limit is about is their ratio, if not `value`."""
    return Figure(
        case=case,
        contestant_name=contestant,
        baseline_name=baseline,
        value=pairs.ratio if value is None else value,
        unit=unit,
        limit=limit,
        contestant=median(pairs.contestant),
        baseline=median(pairs.baseline),
        ratio=pairs.ratio,
        verified=verified,
        count=count,
    )
