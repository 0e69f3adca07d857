"""Measures a contestant against a baseline on a machine that other programs use.

Absolute times mean little there. So contestant and baseline take turns, and the order changes from
round to round. The result is the median over the rounds of the ratio, or difference, of the two
times of a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from statistics import median

__all__ = ["Figure", "Pairs", "Timed", "compared", "measured_in_turns", "timed"]

#: Does the work, or a batch of it, and returns the nanoseconds that one unit took.
Timed = Callable[[], float]


@dataclass(frozen=True)
class Pairs:
    """The times: one of each a round, in nanoseconds."""

    contestant: tuple[float, ...]
    baseline: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """The ratio of the contestant's time to the baseline's, of each round."""
        return [ours / base for ours, base in zip(self.contestant, self.baseline, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the paired ratios."""
        return median(self.ratios)

    def excess(self, factor: float) -> float:
        """The median of the contestant's time minus `factor` times the baseline's, in ns."""
        return median(
            ours - factor * base for ours, base in zip(self.contestant, self.baseline, strict=True)
        )


def timed(work: Callable[[], object], calls: int = 1) -> Timed:
    """Time `calls` calls in a Python loop, in nanoseconds a call."""

    def one_batch() -> float:
        begun = time.perf_counter_ns()
        for _ in repeat(None, calls):
            work()
        return (time.perf_counter_ns() - begun) / calls

    return one_batch


def measured_in_turns(contestant: Timed, baseline: Timed, rounds: int) -> Pairs:
    """Run both `rounds` times, after one round that is not counted."""
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
        """True if the result is verified and within the limit."""
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
    """Return the figure of two that took turns; the limit is on `value`, or else on their ratio."""
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
