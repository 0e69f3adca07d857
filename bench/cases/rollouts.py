"""One patch of 10 pointers for thousands of processes, against the system calls from C."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from lib.measuring import Figure, Pairs, compared
from lib.raw_calls import RawCalls

from pydbgwrite import rollout
from pydbgwrite.rollout import worker

__all__ = ["rollouts"]

_MOST_TIMES, _MOST_STILL = 15.0, 10.0


def rollouts(*, quick: bool) -> Iterator[Figure]:
    """Apply a patch with expect and verify to all children of one program, and undo it."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
    from support.fleet import ENTRIES, Fleet, compile_fleet, patch_of

    count = 400 if quick else 4000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a pipe for each
    calls = RawCalls()
    ours: list[float] = []
    still: list[float] = []
    base: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = name
        with Fleet(compile_fleet(folder / "shop"), count) as fleet:
            patch, chosen = patch_of(fleet.table), rollout.processes(pids=fleet.pids)
            verified = True
            for number in range(3 if quick else 5):
                base.append(calls.patch_processes(fleet.pids, fleet.table, 24, ENTRIES) / count)
                stops = _Stops()
                begun = time.perf_counter_ns()
                report = rollout.apply(patch, chosen, ledger=folder / str(number))
                ours.append((time.perf_counter_ns() - begun) / count)
                still.append(stops.end())
                verified &= report.counts == {"applied": count} and fleet.all_held() == {"new"}
                rollout.undo(folder / str(number))
    case = f"a patch of {ENTRIES} pointers, {count:,} processes"
    for what, times, limit in (
        ("rollout.apply, a process", ours, _MOST_TIMES),
        ("a process stands still, at most", still, _MOST_STILL),
    ):
        pairs = Pairs(tuple(times), tuple(base))
        yield compared(case, what, "the calls from C", pairs, limit, verified=verified)


class _Stops:
    """Times the work on each process: it stands still for less."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._work = work = worker._Work._open_and_apply
        times = self._times

        def timed(*given: Any) -> tuple[str, str]:
            begun = time.perf_counter_ns()
            try:
                return work(*given)
            finally:
                times.append(time.perf_counter_ns() - begun)

        setattr(worker._Work, "_open_and_apply", timed)  # noqa: B010

    def end(self) -> float:
        """Return the median, in nanoseconds."""
        setattr(worker._Work, "_open_and_apply", self._work)  # noqa: B010
        return float(median(self._times))
