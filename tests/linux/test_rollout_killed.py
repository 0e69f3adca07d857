"""SIGKILL ends the coordinator of a rollout, or a worker, at any moment: all or nothing remains.

The script is a real process, and the moments are drawn over its work.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

from support import rollout_script
from support.chance import chance
from support.fleet import Fleet, compile_fleet

from pydbgwrite import RolloutError, rollout

__all__ = ["chance"]

#: Processes, and about how long a script takes for them, in nanoseconds.
COUNT = 10
LONG = 150_000_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file."""
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"killed{os.getpid()}")


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield processes, and a state folder of the test's own."""
    with Fleet(program, COUNT) as started:
        yield started


def kill_one(fleet: Fleet, ledger: Path, workers: int, chance: random.Random) -> None:
    """Run a rollout as a process, and kill it or one of its workers at a moment of its work."""
    script = subprocess.Popen(
        [sys.executable, rollout_script.__file__, str(ledger), str(fleet.table), str(workers)]
        + [str(pid) for pid in fleet.pids],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(rollout_script.__file__).parent.parent)},
    )
    assert script.stdin is not None and script.stdout is not None
    with script.stdin, script.stdout:
        victims = [script.pid]
        line = script.stdout.readline()
        if workers:
            victims += map(int, line.split())
            line = script.stdout.readline()
        assert line == b"ready\n"
        script.stdin.write(b"\n")
        script.stdin.flush()
        if chance.random() < 0.5:
            script.stdout.read(chance.randrange(1, COUNT))
        until = time.monotonic_ns() + chance.randrange(LONG)
        while time.monotonic_ns() < until:
            pass
        with contextlib.suppress(ProcessLookupError):  # it has done its work
            os.kill(chance.choice(victims), signal.SIGKILL)
        script.stdout.read()  # it has ended, whoever was killed
    script.wait()


@pytest.mark.parametrize("end", [rollout.resume, rollout.undo], ids=["resume", "undo"])
def test_all_or_nothing(
    fleet: Fleet, tmp_path: Path, profile: str, chance: random.Random, end: object
) -> None:
    for number in range(3 if profile == "quick" else 20):
        workers = chance.choice([0, 2])
        ledger = tmp_path / str(number)
        kill_one(fleet, ledger, workers, chance)
        try:
            report = rollout.resume(ledger) if end is rollout.resume else rollout.undo(ledger)
        except RolloutError as error:
            assert "had not begun" in str(error) or "no rollout has its ledger" in str(error)
            assert fleet.all_held() == {"old"}
            continue
        assert report.ended
        assert sum(report.counts.values()) == len(report.outcomes) in (0, COUNT)
        by_pid = {each.pid: each.state for each in report.outcomes}
        for at, pid in enumerate(fleet.pids):
            holds = "new" if by_pid.get(pid) == "applied" else "old"
            assert fleet.held(at) == holds, by_pid
        states = set(report.counts)
        assert states <= (
            {"applied"} if end is rollout.resume and not report.undone else {"undone", "not begun"}
        )
        # What is left is undone, so that the next round begins as this one did.
        assert rollout.undo(ledger).ended
        assert fleet.all_held() == {"old"}
