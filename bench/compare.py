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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from cases.contests import contests
from lib.builds import Build, CannotBuild, build_of_commit, build_of_working_folder
from lib.measuring import Pairs, Timed, measured_in_turns
from lib.reports import RESULTS, duration, machine
from peers.contest import Contest, Entrant, hold
from rich.console import Console
from rich.table import Table

__all__ = ["COMPARED", "compare"]

#: The cases, by the names that bench/run.py gives them, and "version".
COMPARED = ("large", "one", "huge", "narrow", "scattered", "lists", "verify", "import", "version")
_MILLION = 1 << 20


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
    for comparison in _measured(before, now, cases, quick):
        print(f"  {comparison.case}: {comparison.verdict}", file=sys.stderr, flush=True)
        found.append(comparison)
    _show(before, now, found)
    print(f"written to {_write_json(before, now, found)}")
    return 1 if any(comparison.verified is False for comparison in found) else 0


def _measured(before: Build, now: Build, cases: Sequence[str], quick: bool) -> Iterator[Comparison]:
    for contest in contests(quick=False):
        if _name_of(contest) in cases:
            ways = ["pydbgwrite"]
            if contest.kind == "contiguous" and contest.count >= _MILLION:
                ways.append("pydbgwrite, WriteVirtual")
            for way in ways:
                yield _contested(contest, way, before, now, quick)
    for name, case, work in (
        ("import", "python -c 'import pydbgwrite'", _import),
        ("version", "pydbgwrite --version", _version),
    ):
        if name in cases:
            sittings, rounds = (5, 5) if quick else (7, 21)
            yield Comparison(
                case,
                tuple(measured_in_turns(work(now), work(before), rounds) for _ in range(sittings)),
                None,
            )


def _name_of(contest: Contest) -> str:
    if contest.width == 4:
        return "narrow"
    if contest.kind == "contiguous":
        return "one" if contest.count == 1 else "huge" if contest.count > _MILLION else "large"
    return {"list": "lists", "verified": "verify"}.get(contest.kind, contest.kind)


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
                raise RuntimeError(f"{contest.name}, {name}: {outcome.cannot}")
            verified = verified and outcome.verified is True
        took = outcomes["now"].times, outcomes["before"].times
        both = min(map(len, took))  # the faster one may have taken more turns
        found.append(Pairs(*(tuple(times[:both]) for times in took)))
    bulk = ", WriteVirtual" if way != "pydbgwrite" else ""
    return Comparison(f"{contest.name}{bulk}", tuple(found), verified)


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
