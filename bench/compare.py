"""Two states of this package against each other, in turns, in one run: bench/run.py --compare REV.

Each is installed in its own environment (lib/builds.py) and writes from its own processes
(peers/contest.py). A case is measured in several sittings, each with new processes and targets: the
placement of memory can make one of two equal programs faster for as long as both run. Within a
sitting the two take turns, and the one that begins alternates.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from cases.contests import contests
from cases.find import MARK, fill
from lib.builds import Build, CannotBuild, build_of_commit, build_of_working_folder
from lib.large_program import large_program
from lib.measuring import Pairs, Timed, measured_in_turns
from lib.reports import RESULTS, duration, machine
from lib.targets import started
from peers.contest import Contest, Entrant, Worker, hold
from rich.console import Console
from rich.table import Table

__all__ = ["COMPARED", "compare"]

#: The cases, by the names that bench/run.py gives them, and "version".
COMPARED = (
    *("large", "one", "huge", "narrow", "scattered", "lists", "verify", "transactions"),
    *("find", "names", "import", "version"),
)
_MILLION = 1 << 20
_SEARCHED = 256 << 20
_SYMBOLS = 200_000
_WAY = "pydbgwrite"


class _Incomparable(Exception):  # noqa: N818
    """One of the two states can't do the case; the text is for the user."""


@dataclass(frozen=True)
class Comparison:
    """The result of one case: the working folder against the other state, one Pairs a sitting."""

    case: str
    sittings: tuple[Pairs, ...]
    verified: bool | None

    @property
    def times(self) -> tuple[list[float], list[float]]:
        """All times of the other state, and all times of the working folder."""
        return (
            [took for pairs in self.sittings for took in pairs.baseline],
            [took for pairs in self.sittings for took in pairs.contestant],
        )

    @property
    def ratios(self) -> list[float]:
        """The ratios of all paired rounds."""
        return [ratio for pairs in self.sittings for ratio in pairs.ratios]

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """The quartiles of the ratios; the second is the median."""
        low, middle, high = quantiles(self.ratios, n=4, method="inclusive")
        return low, middle, high

    @property
    def verdict(self) -> str:
        """Report a difference only if every sitting and three of four rounds show it."""
        low, middle, high = self.quartiles
        medians = [pairs.ratio for pairs in self.sittings]
        if low > 1 and min(medians) > 1:
            return f"{middle - 1:.1%} slower"
        if high < 1 and max(medians) < 1:
            return f"{1 - middle:.1%} faster"
        return "within noise"


def compare(revision: str, cases: Sequence[str], *, quick: bool) -> int:
    """Measure and print. Return 1 if a target did not hold the pointers, 2 if a build failed."""
    try:
        before, now = build_of_commit(revision), build_of_working_folder()
    except CannotBuild as error:
        print(f"bench/run.py: {error}", file=sys.stderr)
        return 2
    if before.tree == now.tree:
        print("Both are the same code: what differs is noise.", file=sys.stderr)
    found = []
    for measure in _measurements(before, now, cases, quick):
        try:
            comparison = measure()
        except _Incomparable as error:
            print(f"  {error}", file=sys.stderr, flush=True)
        else:
            print(f"  {comparison.case}: {comparison.verdict}", file=sys.stderr, flush=True)
            found.append(comparison)
    _show(before, now, found)
    print(f"written to {_write_json(before, now, found)}")
    return 1 if any(comparison.verified is False for comparison in found) else 0


def _measurements(
    before: Build, now: Build, cases: Sequence[str], quick: bool
) -> Iterator[Callable[[], Comparison]]:
    for contest in contests(quick=False):
        if _name_of(contest) in cases:
            ways = [_WAY]
            if contest.kind == "contiguous" and contest.count >= _MILLION:
                ways.append("pydbgwrite, WriteVirtual")
            for way in ways:
                yield partial(_contested, contest, way, before, now, quick)
    if "find" in cases:
        yield partial(_found, before, now, quick)
    if "names" in cases:
        with large_program(_SYMBOLS // 10 if quick else _SYMBOLS) as (program, pid):
            for way in ("first", "many"):
                yield partial(_named, way, pid, program.name, before, now, quick)
    for name, case, work in (
        ("import", "python -c 'import pydbgwrite'", _import),
        ("version", "pydbgwrite --version", _version),
    ):
        if name in cases:
            yield partial(_timed_starts, case, work(before), work(now), quick)


def _name_of(contest: Contest) -> str:
    if contest.width == 4:
        return "narrow"
    if contest.kind == "contiguous":
        return "one" if contest.count == 1 else "huge" if contest.count > _MILLION else "large"
    named = {"list": "lists", "verified": "verify", "recorded": "transactions"}
    return named.get(contest.kind, contest.kind)


def _contested(contest: Contest, way: str, before: Build, now: Build, quick: bool) -> Comparison:
    sittings, rounds, seconds, least = (5, 15, 0.15, 5) if quick else (7, 51, 1.0, 7)
    entrants = {"now": Entrant(way, now.python), "before": Entrant(way, before.python)}
    found = []
    verified = True
    for _ in range(sittings):
        entrants = dict(reversed(entrants.items()))  # the first one's target is the older one
        outcomes = hold(contest, rounds=rounds, seconds=seconds, least=least, entrants=entrants)
        for name, outcome in outcomes.items():
            if outcome.cannot:
                raise _Incomparable(f"{contest.name}: not compared, {name}: {outcome.cannot}")
            verified = verified and outcome.verified is True
        took = outcomes["now"].times, outcomes["before"].times
        both = min(map(len, took))  # the faster one may have taken more turns
        found.append(Pairs(*(tuple(times[:both]) for times in took)))
    bulk = ", WriteVirtual" if way != _WAY else ""
    return Comparison(f"{contest.name}{bulk}", tuple(found), verified)


def _found(before: Build, now: Build, quick: bool) -> Comparison:
    """Compare searches for one value, each state in its own target."""
    case = f"find one value in {_SEARCHED >> 20} MiB"
    sittings, rounds = (5, 5) if quick else (7, 15)
    found, verified = [], True
    for _ in range(sittings):
        with (
            started(_SEARCHED) as of_now,
            started(_SEARCHED) as of_before,
            _asked(case, now) as ask_now,
            _asked(case, before) as ask_before,
        ):
            places = fill(of_now), fill(of_before)
            asks = ask_now, ask_before
            for ask, target in zip(asks, (of_now, of_before), strict=True):
                ask(
                    do="prepare",
                    way=_WAY,
                    kind="find",
                    pid=target.pid,
                    address=target.address,
                    size=target.size,
                    value=MARK,
                )
            found.append(measured_in_turns(_run(ask_now), _run(ask_before), rounds))
            for ask, target, offsets in zip(asks, (of_now, of_before), places, strict=True):
                expected = [target.address + offset for offset in offsets]
                verified = verified and ask(do="run", calls=1)["found"] == expected
    return Comparison(case, tuple(found), verified)


def _named(way: str, pid: int, program: str, before: Build, now: Build, quick: bool) -> Comparison:
    """Compare look-ups of names, in one program, which is not suspended."""
    case = {"first": "attach, then the first resolve", "many": "names of 1M addresses"}[way]
    sittings, rounds = (3, 5) if quick else (5, 9)
    found = []
    for _ in range(sittings):
        with _asked(case, now) as ask_now, _asked(case, before) as ask_before:
            for ask in (ask_now, ask_before):
                ask(do="prepare", way=way, kind="names", pid=pid, program=program)
            found.append(measured_in_turns(_run(ask_now), _run(ask_before), rounds))
    return Comparison(case, tuple(found), None)


@contextmanager
def _asked(case: str, build: Build) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start a worker of this state, and yield what asks it."""
    with Worker(Entrant(_WAY, build.python)) as worker:

        def ask(**request: Any) -> dict[str, Any]:
            answer = worker.ask(**request)
            if "cannot" in answer:
                raise _Incomparable(f"{case}: not compared, {build.name}: {answer['cannot']}")
            return answer

        yield ask


def _run(ask: Callable[..., dict[str, Any]]) -> Timed:
    return lambda: float(ask(do="run", calls=1)["ns"])


def _timed_starts(case: str, before: Timed, now: Timed, quick: bool) -> Comparison:
    sittings, rounds = (5, 5) if quick else (7, 21)
    return Comparison(
        case, tuple(measured_in_turns(now, before, rounds) for _ in range(sittings)), None
    )


def _started(command: list[str]) -> Timed:
    """Time a process from its start to its end."""

    def one() -> float:
        begun = time.perf_counter_ns()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return float(time.perf_counter_ns() - begun)

    return one


def _import(build: Build) -> Timed:
    """Time Python importing the package, without site, as in cases/import_time.py."""
    code = "import sys; sys.path.append(sys.argv[1]); import pydbgwrite"
    return _started([build.python, "-I", "-S", "-c", code, build.packages])


def _version(build: Build) -> Timed:
    """Time the command `pydbgwrite --version`."""
    return _started([build.command, "--version"])


def _show(before: Build, now: Build, found: Sequence[Comparison]) -> None:
    """Print one table."""
    table = Table(title=f"{now.name} against {before.name}")
    table.add_column("case")
    for heading in ("before", "now", "ratio", "quartiles", "rounds", "verified", ""):
        table.add_column(heading, justify="right")
    for comparison in found:
        low, middle, high = comparison.quartiles
        table.add_row(
            comparison.case,
            *(duration(median(times)) for times in comparison.times),
            f"{middle:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{len(comparison.ratios)}",
            {True: "yes", False: "NO", None: "-"}[comparison.verified],
            comparison.verdict,
        )
    console = Console()
    console.width = console.width if console.is_terminal else 150
    console.print(table)


def _write_json(before: Build, now: Build, found: Sequence[Comparison]) -> Path:
    """Write one file a run, beside those of the benchmarks."""
    moment = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"compared-{moment:%Y%m%dT%H%M%SZ}.json"
    results = {
        "when": moment.isoformat(timespec="seconds"),
        "on": machine(),
        "before": {"name": before.name, "tree": before.tree},
        "now": {"name": now.name, "tree": now.tree},
        "cases": [
            {
                "case": comparison.case,
                "verdict": comparison.verdict,
                "quartiles": comparison.quartiles,
                "verified": comparison.verified,
                "sittings": [asdict(pairs) for pairs in comparison.sittings],
            }
            for comparison in found
        ],
    }
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path
