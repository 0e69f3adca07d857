"""Rollouts over Dask on three machines: namespaces of networks and pids, with a worker in each.

`.ci/run hosts` installs what this needs. What dies is killed by SIGKILL at drawn moments. The
processes themselves say what they hold.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)
if find_spec("distributed") is None:
    pytest.skip("needs Dask, which the step `hosts` installs", allow_module_level=True)
if os.geteuid() != 0:
    pytest.skip("needs root: namespaces", allow_module_level=True)
if any(shutil.which(each) is None for each in ("ip", "unshare", "nsenter", "openssl")):
    pytest.skip("needs ip, unshare, nsenter and openssl", allow_module_level=True)

from support.chance import chance
from support.fleet import compile_fleet
from support.hosts import Hosts

__all__ = ["chance"]

MACHINES, PROCESSES = 3, 30
#: How long a coordinator takes for its work, about, in seconds.
LONG = 0.8


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Yield machines with processes that hold nothing of a patch."""
    program = compile_fleet(tmp_path_factory.mktemp("fleet") / "shop")
    with Hosts(tmp_path_factory.mktemp("hosts"), program, MACHINES, PROCESSES) as started:
        yield started


def check(hosts: Hosts, report: dict[str, Any]) -> None:
    """Check that each process holds what its outcome says: all of the patch, or nothing."""
    said = {(host, pid): state for host, pid, state in report["outcomes"]}
    held = hosts.held()
    assert len(report["outcomes"]) in (0, len(held)), report
    for process, has in held.items():
        assert has == ("new" if said.get(process) == "applied" else "old"), (process, report)


def counts(report: dict[str, Any]) -> dict[str, int]:
    """Return how many processes have each outcome."""
    return dict(Counter(state for _, _, state in report["outcomes"]))


def end(hosts: Hosts, how: str, ledger: Path) -> dict[str, Any]:
    """Resume or undo a rollout until it has ended; return its report.

    A machine that is back answers once its connections are: until then its processes are unknown.
    """
    for _ in range(30):
        report = hosts.run(how, ledger)
        if report["ended"]:
            return report
    raise AssertionError(report)


def test_ninety_processes_on_three_machines(hosts: Hosts, tmp_path: Path) -> None:
    report = hosts.run("apply", tmp_path / "a")
    assert report["ok"] and counts(report) == {"applied": 90}, report
    assert Counter(hosts.held().values()) == {"new": 90}
    assert {host for host, _, _ in report["outcomes"]} == {"10.77.0.2", "10.77.0.3", "10.77.0.4"}
    # Each machine's pids are its own: the same numbers on all three.
    assert len({pid for _, pid, _ in report["outcomes"]}) == 30
    undone = hosts.run("undo", tmp_path / "a")
    assert undone["ended"] and counts(undone) == {"undone": 90}
    assert Counter(hosts.held().values()) == {"old": 90}


def test_a_machine_that_is_cut_off_during_a_batch(hosts: Hosts, tmp_path: Path) -> None:
    """Its processes are unknown, the others are undone; when it is back, so are its own."""
    away = hosts.hosts[1]
    options = {"timeout": 2, "batch": "50%", "canary": 3}
    coordinator = hosts.coordinator("apply", tmp_path / "a", check=True, options=options)
    coordinator.begin()
    assert coordinator.hear() == "check"  # after the canary, a process of each machine
    away.cut_off()
    try:
        coordinator.begin()
        report = coordinator.report()
    finally:
        away.join()
    assert report is not None and not report["ended"] and report["undone"]
    there = {state for host, _, state in report["outcomes"] if host == away.name}
    others = {state for host, _, state in report["outcomes"] if host != away.name}
    assert others == {"undone", "not begun"} and "unknown" in there, report
    hosts.start()  # a worker that Dask has given up
    after = end(hosts, "resume", tmp_path / "a")
    assert set(counts(after)) == {"undone", "not begun"}, after
    check(hosts, after)


def test_kills(hosts: Hosts, tmp_path: Path, profile: str, chance: random.Random) -> None:
    """A worker, the scheduler or the coordinator is killed: what is left is resumed or undone."""
    for number in range(6 if profile == "quick" else 40):
        victim = ("worker", "scheduler", "coordinator")[number % 3]
        ledger = tmp_path / str(number)
        options = {"timeout": 2, "batch": chance.choice([5, "25%"])}
        coordinator = hosts.coordinator("apply", ledger, options=options)
        coordinator.begin()
        until = time.monotonic_ns() + chance.randrange(int(LONG * 1e9))
        while time.monotonic_ns() < until:
            pass
        if victim == "worker":
            worker = chance.choice(hosts.hosts).worker
            assert worker is not None
            worker.kill()
        elif victim == "scheduler":
            hosts.kill_scheduler()
        else:
            coordinator.kill()
        hosts.start()
        if victim != "coordinator":
            coordinator.report()
        if (ledger / "rollout.ledger").exists():
            report = end(hosts, chance.choice(["resume", "undo"]), ledger)
            check(hosts, report)
            if "applied" in counts(report):
                end(hosts, "undo", ledger)
        assert set(hosts.held().values()) == {"old"}
