"""Contests: all contestants do the same work, in turns, each in its own process on its own target.

A process has one tracer, so each contestant has its own target. It also has its own process
(worker.py), since gdb's Python runs in gdb, and packages start threads and handle signals. The
order changes from round to round. After the last round each contestant writes different pointers
and releases its target, and the target reports what it holds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy
from lib.targets import Numbers, Target, Target32, started, started_32

from peers.ways import WAYS

if TYPE_CHECKING:
    from typing import Self

__all__ = ["BASELINE", "TMPFS", "Contest", "Entrant", "Outcome", "Worker", "hold"]

_FOLDER = Path(__file__).resolve().parent
_WORKER = _FOLDER / "worker.py"

#: A file there lies in memory: a figure of a journal is about the journal, not about a disk.
TMPFS = Path("/dev/shm")

#: All others are measured against this one.
BASELINE = next(iter(WAYS))


@dataclass(frozen=True)
class Entrant:
    """A participant: a way of ways.py, in a process of this Python."""

    way: str
    python: str = sys.executable


_ALL = {way: Entrant(way) for way in WAYS}


@dataclass(frozen=True)
class Contest:
    """One case. `places` has the offsets of scattered pointers; None means contiguous ones."""

    name: str
    kind: str  # of worker.py: "contiguous", "list", "scattered", "verified", "recorded"
    count: int
    calls: int = 1
    width: int = 8
    places: Numbers | None = None
    journal: bool = False  # of "recorded": in a file, whose folder lies in memory

    @property
    def size(self) -> int:
        """The bytes of memory that a target needs."""
        if self.places is None:
            return self.count * self.width
        return int(self.places.max()) + 8

    def values(self, seed: int) -> Numbers:
        """Return random pointers that fit the target."""
        chance = numpy.random.default_rng(seed)
        return chance.integers(0, 1 << (63 if self.width == 8 else 31), self.count, numpy.uint64)

    def image(self, values: Numbers) -> bytes:
        """Return the target's memory after these are written; the rest is zero."""
        if self.places is None:
            return values.astype(f"<u{self.width}").tobytes()
        memory = numpy.zeros(self.size // 8, numpy.uint64)
        memory[self.places // numpy.uint64(8)] = values
        return memory.tobytes()


@dataclass
class Outcome:
    """A contestant's result: nanoseconds a call, round by round, or why there are none."""

    times: list[float] = field(default_factory=list)
    cannot: str = ""
    verified: bool | None = None

    def ratio_to(self, other: Outcome) -> float:
        """Return the median of the paired ratios, over the rounds with both."""
        return median(own / base for own, base in zip(self.times, other.times, strict=False))


class Worker:
    """A contestant's process."""

    def __init__(self, entrant: Entrant) -> None:
        to_it, from_us = os.pipe()
        to_us, from_it = os.pipe()
        command = [entrant.python, "-I", str(_WORKER)]
        if entrant.way == "gdb":
            command = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off"]
            command += ["-iex", "set auto-load off", "-x", str(_WORKER)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(to_it, from_it),
            env={**os.environ, "PYDBGWRITE_CONTEST": f"{_FOLDER.parent}:{to_it}:{from_it}"},
        )
        os.close(to_it)
        os.close(from_it)
        self._asks = os.fdopen(from_us, "w", encoding="ascii")
        self._hears = os.fdopen(to_us, encoding="ascii")

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return its answer, or the reason why there is none."""
        try:
            print(json.dumps(request), file=self._asks, flush=True)
            line = self._hears.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"cannot": "its process ended"}
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._hears.close()
        with suppress(BrokenPipeError):
            self._asks.close()


def _missing(way: str) -> str:
    return "gdb is not installed" if way == "gdb" and shutil.which("gdb") is None else ""


@contextmanager
def _target(contest: Contest) -> Iterator[Target | Target32]:
    with (started if contest.width == 8 else started_32)(contest.size) as target:
        yield target


def hold(
    contest: Contest,
    *,
    rounds: int,
    seconds: float,
    least: int,
    entrants: Mapping[str, Entrant] = _ALL,
) -> dict[str, Outcome]:
    """Run all `rounds` times; one that has used up its seconds leaves after `least` rounds."""
    outcomes = {name: Outcome(cannot=_missing(each.way)) for name, each in entrants.items()}
    targets: dict[str, Target | Target32] = {}
    workers: dict[str, Worker] = {}
    with ExitStack() as held:
        parent = TMPFS if contest.journal and TMPFS.is_dir() else None
        folder = Path(
            held.enter_context(tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-", dir=parent))
        )
        contest.values(1).tofile(folder / "values")
        for name, entrant in entrants.items():
            if not outcomes[name].cannot:
                target = targets[name] = held.enter_context(_target(contest))
                worker = workers[name] = held.enter_context(Worker(entrant))
                outcomes[name].cannot = _prepared(contest, entrant.way, worker, target, folder)
        for number in range(-1, rounds):
            takes_part = [
                name
                for name, outcome in outcomes.items()
                if not outcome.cannot and (number < least or sum(outcome.times) < seconds * 1e9)
            ]
            cycle, turn = divmod(max(number, 0), max(len(takes_part), 1))
            order = takes_part[turn:] + takes_part[:turn]
            for name in order[:: -1 if cycle % 2 else 1]:
                _one_round(contest, workers[name], outcomes[name], number)
        for seed, name in enumerate(workers, 2):
            if not outcomes[name].cannot:
                _verify(contest, workers[name], targets[name], outcomes[name], folder, seed)
    return outcomes


def _prepared(
    contest: Contest, way: str, worker: Worker, target: Target | Target32, folder: Path
) -> str:
    """Return why it can't take part, or an empty text."""
    request: dict[str, Any] = {
        "do": "prepare",
        "way": way,
        "pid": target.pid,
        "width": contest.width,
        "kind": contest.kind,
        "address": target.address,
        "values": str(folder / "values"),
    }
    if contest.places is not None:
        path = folder / f"addresses in {target.pid}"
        (contest.places + numpy.uint64(target.address)).tofile(path)
        request["addresses"] = str(path)
    if contest.journal:
        request["journal"] = str(folder / f"journal of {target.pid}")
    return str(worker.ask(**request).get("cannot", ""))


def _one_round(contest: Contest, worker: Worker, outcome: Outcome, number: int) -> None:
    answer = worker.ask(do="run", calls=contest.calls)
    if "cannot" in answer:
        outcome.cannot = answer["cannot"]
    elif number >= 0:  # the first round is not counted
        outcome.times.append(answer["ns"] / contest.calls)


def _verify(
    contest: Contest,
    worker: Worker,
    target: Target | Target32,
    outcome: Outcome,
    folder: Path,
    seed: int,
) -> None:
    fresh = contest.values(seed)
    path = folder / "fresh"
    fresh.tofile(path)
    for request in ({"do": "fresh", "values": str(path)}, {"do": "release"}):
        outcome.cannot = outcome.cannot or str(worker.ask(**request).get("cannot", ""))
    outcome.verified = not outcome.cannot and target.holds(contest.image(fresh))
