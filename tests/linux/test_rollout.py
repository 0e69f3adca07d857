"""Rollouts over real processes: stages, outcomes, undo of all, churn, and what other hands do."""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

from support import elf32
from support.fleet import Fleet, Server, compile_fleet, of, patch_of, read_request
from support.limits import limited
from support.processes import Child32

import pydbgwrite
from pydbgwrite import JournalError, Patch, PatchEntry, RolloutError, rollout
from pydbgwrite._journal import linux_process
from pydbgwrite._state_folder import StateFolder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file."""
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"fleet{os.getpid()}")


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield ten processes, and a state folder of the test's own."""
    with Fleet(program, 10) as started:
        yield started


def test_each_process_gets_the_patch(fleet: Fleet, tmp_path: Path) -> None:
    said: list[tuple[int, int, str]] = []
    report = rollout.apply(
        patch_of(fleet.table),
        of(fleet),
        ledger=tmp_path / "ledger",
        progress=lambda done, total, outcome: said.append((done, total, outcome.state)),
    )
    assert report.ok and report.ended and not report.stopped
    assert report.counts == {"applied": 10}
    assert [each.pid for each in report.outcomes] == sorted(fleet.pids)
    assert fleet.all_held() == {"new"}
    assert len(said) == 10 and said[0] == (1, 10, "applied") and said[-1] == (10, 10, "applied")
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "ledger" / "rollout.ledger").stat().st_mode & 0o777 == 0o600
    assert rollout.status(tmp_path / "ledger") == report


def test_each_of_the_pids_is_listed() -> None:
    """The first process is often one whose program this user may not see."""
    gone = 2**22 + 1  # more than the kernel gives
    found = rollout.processes(pids=[1, gone]).look()
    assert [each.pid for each in found] == [1, gone]
    assert found[1].problem == "there is no such process"


def test_a_second_run_applies_what_is_missing(fleet: Fleet, tmp_path: Path) -> None:
    few = rollout.processes(pids=fleet.pids[:4])
    patch = patch_of(fleet.table)
    assert rollout.apply(patch, few, ledger=tmp_path / "first").counts == {"applied": 4}
    report = rollout.apply(patch, of(fleet), ledger=tmp_path / "second")
    assert report.ok and report.counts == {"applied": 6, "already applied": 4}
    assert fleet.all_held() == {"new"}
    # An undo takes back what its own rollout wrote.
    undone = rollout.undo(tmp_path / "second")
    assert undone.ended and undone.counts == {"undone": 6, "already applied": 4}
    assert [fleet.held(at) for at in range(10)] == ["new"] * 4 + ["old"] * 6
    assert rollout.undo(tmp_path / "first").counts == {"undone": 4}
    assert fleet.all_held() == {"old"}
    assert rollout.undo(tmp_path / "first").counts == {"undone": 4}


def test_stages(fleet: Fleet, tmp_path: Path) -> None:
    sizes: list[list[int]] = []

    def check(outcomes: Any) -> bool:
        sizes.append([each.pid for each in outcomes])
        assert {each.state for each in outcomes} == {"applied"}
        held = [fleet.held(at) for at in range(10)]
        return held.count("new") == sum(map(len, sizes))

    report = rollout.apply(
        patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", canary=2, batch="30%", check=check
    )
    assert report.ok
    assert list(map(len, sizes)) == [2, 3, 3, 2]
    assert list(itertools.chain(*sizes)) == sorted(fleet.pids)


def test_a_check_that_fails_undoes_all(fleet: Fleet, tmp_path: Path) -> None:
    calls = iter([True, True, False])
    report = rollout.apply(
        patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", check=lambda _: next(calls)
    )
    assert not report.ok and report.undone and report.ended
    assert "check" in report.stopped
    # The canary and two batches of three had it.
    assert report.counts == {"undone": 7, "not begun": 3}
    assert fleet.all_held() == {"old"}


def test_an_exception_undoes_all_and_goes_on(fleet: Fleet, tmp_path: Path) -> None:
    def check(outcomes: Any) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", check=check)
    assert "was undone" in " ".join(caught.value.__notes__)
    assert fleet.all_held() == {"old"}
    assert rollout.status(tmp_path / "a").counts == {"undone": 1, "not begun": 9}


def test_a_third_is_another_build(
    fleet: Fleet, program: Path, tmp_path: Path, state_folder: Path
) -> None:
    """The rollout stops, and the batch that had gone well is undone."""
    other = compile_fleet(tmp_path / program.name, "-DOTHER", "-O1")
    with Fleet(other, 5) as others, pydbgwrite.attach(fleet.pids[0]) as session:
        build = pydbgwrite.BuildCheck.of(session, program.name)
        session.close()
        named = patch_of(f"{program.name}!table")
        patch = Patch(named.entries, builds=[build])
        both = rollout.processes(program=program.name)
        # With the two that have started the others.
        report = rollout.apply(patch, both, ledger=tmp_path / "a", canary=3, batch=4)
        assert "failures" in report.stopped and report.undone and not report.ok
        refused = [each for each in report.outcomes if each.state == "refused"]
        assert refused and all(build.build_id in each.detail for each in refused if build.build_id)
        assert set(report.counts) <= {"undone", "refused", "not begun"}
        assert len(report.outcomes) == sum(report.counts.values()) == 17
        assert fleet.all_held() == others.all_held() == {"old"}
        # With a build chosen, the others are no targets.
        chosen = rollout.processes(program=program.name, build_id=build.build_id)
        again = rollout.apply(patch, chosen, ledger=tmp_path / "b")
        assert again.ok and again.counts == {"applied": 11}
        assert fleet.all_held() == {"new"} and others.all_held() == {"old"}


@pytest.mark.parametrize("flags", [("-no-pie",), ("-static",), ("-static-pie", "-fPIC")], ids=str)
def test_each_kind_of_program_is_chosen_by_its_build(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    """A static one without -pie has no segment that tells where its program headers lie."""
    build_id, other = os.urandom(20).hex(), os.urandom(20).hex()
    program = compile_fleet(tmp_path / "kind", f"-Wl,--build-id=0x{build_id}", *flags)
    with Fleet(program, 2) as fleet:
        chosen = rollout.processes(pids=fleet.pids, build_id=build_id)
        assert [each.pid for each in chosen.look()] == fleet.pids
        assert rollout.processes(pids=fleet.pids, build_id=other).look() == []


def test_one_does_not_hold_what_is_expected(fleet: Fleet, tmp_path: Path) -> None:
    with pydbgwrite.attach(fleet.pids[6]) as session:
        session.write_pointers(fleet.table + 24, [77])
    report = rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    assert report.undone and report.counts["refused"] == 1
    (refused,) = report.failures
    assert refused.pid == fleet.pids[6] and f"found 0x{77:x}" in refused.detail
    assert [fleet.held(at) for at in range(10)] == ["old"] * 6 + ["mixed"] + ["old"] * 3
    # One failure is allowed: the others keep the patch.
    some = rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b", max_failures=1)
    assert some.counts == {"applied": 9, "refused": 1} and not some.ok and not some.undone


def test_keep(fleet: Fleet, tmp_path: Path) -> None:
    report = rollout.apply(
        patch_of(fleet.table),
        of(fleet),
        ledger=tmp_path / "a",
        batch=3,
        check=lambda outcomes: len(outcomes) == 1,
        keep=True,
    )
    assert report.stopped and not report.undone and not report.ok
    assert report.counts == {"applied": 4, "not begun": 6}
    assert [fleet.held(at) for at in range(10)] == ["new"] * 4 + ["old"] * 6
    assert rollout.undo(tmp_path / "a").counts == {"undone": 4, "not begun": 6}
    assert fleet.all_held() == {"old"}


def test_a_value_that_does_not_fit_in_one(state_folder: Path, tmp_path: Path) -> None:
    """A 32-bit process can't hold one of the values."""
    with Child32() as small, Child32() as other:
        before = small.read(elf32.RW, 8)
        pids = [small.pid, other.pid]
        good = Patch([PatchEntry(elf32.RW, [1, 2])])
        wide = Patch([PatchEntry(elf32.RW, [1]), PatchEntry(elf32.RW + 4, [1 << 40])])
        chosen = rollout.processes(pids=pids)
        report = rollout.apply(wide, chosen, ledger=tmp_path / "a", canary=0, batch=2)
        assert report.counts == {"refused": 2}
        assert "32-bit pointers" in report.outcomes[0].detail
        assert small.read(elf32.RW, 8) == other.read(elf32.RW, 8) == before
        assert rollout.apply(good, chosen, ledger=tmp_path / "b").ok
        assert small.read(elf32.RW, 8) == bytes([1, 0, 0, 0, 2, 0, 0, 0])


def test_a_value_that_fits_in_all_but_one(state_folder: Path, tmp_path: Path) -> None:
    """Ten are 64-bit processes; the last is not, and what was applied to the others is undone."""
    flags = ("-DPLACED", "-no-pie", f"-Wl,--section-start=.placed=0x{elf32.RW:x}")
    placed = compile_fleet(tmp_path / "placed", *flags)
    with Fleet(placed, 10) as fleet, Child32() as small:
        assert fleet.table == elf32.RW
        before = small.read(elf32.RW, 8)
        patch = Patch([PatchEntry(elf32.RW + 8, [1 << 40])])
        chosen = rollout.processes(pids=[*fleet.pids, small.pid])
        held: list[int] = []
        with pydbgwrite.attach(fleet.pids[0]) as session:
            was = session.read_pointers(elf32.RW, 4)

        def check(outcomes: Any) -> bool:
            held.extend(each.pid for each in outcomes if each.state == "applied")
            return True

        report = rollout.apply(patch, chosen, ledger=tmp_path / "a", batch=5, check=check)
        assert report.undone and report.ended and report.counts["refused"] == 1
        (refused,) = report.failures
        assert refused.pid == small.pid and "32-bit pointers" in refused.detail
        assert held, "some had been patched when it stopped"
        assert fleet.all_held() == {"old"} and small.read(elf32.RW, 8) == before
        with pydbgwrite.attach(fleet.pids[0]) as session:
            assert session.read_pointers(elf32.RW, 4) == was


def test_processes_that_end(fleet: Fleet, tmp_path: Path) -> None:
    """One has ended before its turn; another ends before the undo."""
    first, last = min(fleet.pids), max(fleet.pids)  # the first one's turn is the canary's

    def check(outcomes: Any) -> bool:
        os.kill(first, signal.SIGKILL)
        os.kill(last, signal.SIGKILL)
        return all(each.pid != last for each in outcomes)

    report = rollout.apply(
        patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", batch="100%", check=check
    )
    states = {each.pid: each.state for each in report.outcomes}
    assert states[first] == "ended during" and states[last] == "ended before"
    assert report.counts == {"ended during": 1, "ended before": 1, "undone": 8}
    living = [at for at, pid in enumerate(fleet.pids) if pid not in (first, last)]
    assert {fleet.held(at) for at in living} == {"old"}


def test_churn(program: Path, state_folder: Path, tmp_path: Path) -> None:
    """A server's workers end and start all the time: no request fails, and all get the patch."""
    with Server(program, 4, tmp_path / "s", 7) as server:
        patch = patch_of(f"{program.name}!table")
        heard: list[str] = []
        failed: list[BaseException] = []
        enough = threading.Event()

        def ask() -> None:
            try:
                while not enough.is_set():
                    heard.append(read_request(server.path))
            except BaseException as error:
                failed.append(error)

        client = threading.Thread(target=ask)
        client.start()
        try:
            report = rollout.apply(
                patch,
                rollout.processes(program=program.name),
                ledger=tmp_path / "a",
                canary=0,
                batch=2,
                until_stable=True,
            )
            # Those that start from here on are children of one that has the patch.
            assert report.ok, report
            assert {read_request(server.path) for _ in range(40)} == {"new"}
            # So every worker holds it, those that have started meanwhile, too.
            again = rollout.apply(
                patch, rollout.processes(program=program.name), ledger=tmp_path / "b", canary=0
            )
            # Some end before they are opened, or while they are.
            held = {"already applied", "ended before", "ended during"}
            assert again.ok and set(again.counts) <= held, again
        finally:
            enough.set()
            client.join()
        assert not failed and server.runs
        assert set(heard) <= {"old", "new"} and heard
        assert len(report.outcomes) == sum(report.counts.values())


def test_worker_processes(fleet: Fleet, tmp_path: Path) -> None:
    """Neither a worker nor the coordinator is stopped, although they are asked for."""
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        executor.submit(int).result()
        workers = list(executor._processes or ())
        chosen = rollout.processes(pids=[*fleet.pids, os.getpid(), *workers, *fleet.pids])
        report = rollout.apply(
            patch_of(fleet.table),
            chosen,
            executor,
            ledger=tmp_path / "a",
            keep=True,
            max_failures="100%",
        )
        states = {each.pid: each.state for each in report.outcomes}
        assert {states[pid] for pid in fleet.pids} == {"applied"}, report.outcomes
        assert states[os.getpid()] == "refused"
        assert {states[pid] for pid in workers} == {"refused"}
        assert fleet.all_held() == {"new"}
        assert rollout.undo(tmp_path / "a", executor).counts["undone"] == 10
        assert fleet.all_held() == {"old"}


class Lossy(Executor):
    """Runs tasks at once; loses those of some numbers, or their answers, and runs others twice."""

    def __init__(self, lost: set[int], twice: set[int], unanswered: Sequence[int] = ()) -> None:
        self.number = 0
        self.lost, self.twice, self.unanswered = lost, twice, unanswered
        self.late: list[Any] = []

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task, or lose it."""
        future: Future[Any] = Future()
        number, self.number = self.number, self.number + 1
        future.set_running_or_notify_cancel()
        if number in self.lost:
            self.late.append((fn, args))
            future.set_exception(ConnectionError("the host is cut off"))
            return future
        if number in (*self.twice, *self.unanswered):
            fn(*args)
        if number in self.unanswered:
            future.set_exception(ConnectionError("the host is cut off"))
            return future
        future.set_result(fn(*args))
        return future


OTHERS = """
import contextlib, os, shutil, sys, tempfile
from pathlib import Path
from support.fleet import patch_of
from pydbgwrite import rollout
import pydbgwrite._messages.linux

table, *pids = map(int, sys.argv[1:])
chosen = rollout.processes(pids=pids)
folder = Path(tempfile.mkdtemp())
try:
    os.environ["XDG_STATE_HOME"] = str(folder / "root")
    (folder / "root").mkdir()
    assert rollout.apply(patch_of(table), chosen, ledger=folder / "root" / "a").ok
    assert rollout.undo(folder / "root" / "a").ended
    os.chown(folder, 65534, 65534)
    os.setgroups([])
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    os.environ["XDG_STATE_HOME"] = str(folder)
    problems = {each.problem for each in chosen.look()}
    assert len(problems) and all("root" in each or "user 0" in each for each in problems), problems
    report = rollout.apply(patch_of(table), chosen, ledger=folder / "b", max_failures="100%")
    assert report.counts == {"no access": len(pids)}, report
    assert report.ended and not report.ok
    print("said:", report.outcomes[0].detail)
finally:
    os.setresuid(0, 0, 0)
    shutil.rmtree(folder)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other owners")
def test_processes_of_another_user(fleet: Fleet) -> None:
    """They have no access, beforehand and in the report, and nothing is written."""
    done = subprocess.run(
        [sys.executable, "-c", OTHERS, str(fleet.table), *map(str, fleet.pids)],
        env={**os.environ, "PYTHONPATH": str(Path(elf32.__file__).parent.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "said: no access to process" in done.stdout
    assert fleet.all_held() == {"old"}


def test_five_thousand_targets(fleet: Fleet, tmp_path: Path) -> None:
    """Each has its outcome, and the ten that live get the patch."""
    absent = range(2**22 + 1, 2**22 + 4991)
    chosen = rollout.processes(pids=[*fleet.pids, *absent])
    report = rollout.apply(patch_of(fleet.table), chosen, ledger=tmp_path / "a")
    assert report.ok and report.counts == {"applied": 10, "ended before": 4990}
    assert len(report.outcomes) == 5000 and rollout.status(tmp_path / "a") == report
    assert rollout.undo(tmp_path / "a").counts["undone"] == 10
    assert fleet.all_held() == {"old"}


def test_clocks_that_differ(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task finds another time of day: nothing of a rollout depends on it."""

    class Jumping(Lossy):
        def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
            years = 365 * 24 * 60 * 60 * (30, -40, 5)[self.number % 3]
            with monkeypatch.context() as patched:
                patched.setattr("time.time", lambda now=time.time: now() + years)
                return super().submit(fn, *args, **more)

    executor = Jumping(set(), set())
    report = rollout.apply(patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a")
    assert report.ok and report.counts == {"applied": 10}
    assert fleet.all_held() == {"new"}
    assert rollout.undo(tmp_path / "a", executor).counts == {"undone": 10}
    assert fleet.all_held() == {"old"}


def test_a_machine_that_was_restarted(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes have ended, whatever was written to them, so that the rollout can end."""
    executor = Lossy(set(range(3, 100)), set())  # the look and the canary, and a task of the batch
    report = rollout.apply(patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a")
    assert not report.ended and report.counts["applied"] == 2
    here = linux_process.machine()
    later = {**here, "boot": "of another day"}
    with monkeypatch.context() as patched:
        patched.setattr("pydbgwrite.rollout.host.machine", lambda: later)
        after = rollout.resume(tmp_path / "a")
    assert after.ended and set(after.counts) == {"ended during", "not begun"}
    assert {each.detail for each in after.outcomes if each.state == "ended during"} == {
        "its machine was restarted"
    }
    # Another machine is told apart.
    one = rollout.processes(pids=[fleet.pid])
    rollout.apply(patch_of(fleet.table), one, ledger=tmp_path / "b")
    with monkeypatch.context() as patched:
        patched.setattr("pydbgwrite.rollout.host.machine", lambda: {**later, "machine": "another"})
        after = rollout.undo(tmp_path / "b")
    assert not after.ended and "another machine" in after.outcomes[0].detail
    assert rollout.undo(tmp_path / "b").ended and fleet.held(10) == "old"


def test_two_rollouts_at_once(fleet: Fleet, tmp_path: Path) -> None:
    """The second is refused as a whole, even if it shares one process, and writes nothing."""

    def check(outcomes: Any) -> bool:
        both = rollout.processes(pids=[fleet.pids[9], fleet.pid])
        with pytest.raises(RolloutError, match="has not ended") as caught:
            rollout.apply(patch_of(fleet.table), both, ledger=tmp_path / "b")
        assert str(tmp_path / "a") in str(caught.value), "it names the ledger of the first"
        assert fleet.held(10) == "old"
        # Others can be patched meanwhile.
        other = rollout.processes(pids=[fleet.pid])
        undone = rollout.apply(patch_of(fleet.table), other, ledger=tmp_path / "c")
        assert undone.ok and rollout.undo(tmp_path / "c").ended
        return True

    report = rollout.apply(
        patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", canary=0, batch="100%", check=check
    )
    assert report.ok and fleet.all_held() == {"new"}


def test_a_journal_that_finds_no_room(fleet: Fleet, tmp_path: Path) -> None:
    """What can't be recorded is not written: the process has failed, and the rollout stops."""

    def run(fn: Any, *args: Any) -> Any:
        with limited(200):
            return fn(*args)

    class Full(Lossy):
        def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
            if self.number != 1:  # the canary
                return super().submit(fn, *args, **more)
            return super().submit(run, fn, *args)

    report = rollout.apply(
        patch_of(fleet.table), of(fleet), Full(set(), set()), ledger=tmp_path / "a"
    )
    assert report.ended and report.counts == {"failed and undone": 1, "not begun": 9}
    assert "nothing was written" in report.failures[0].detail
    assert fleet.all_held() == {"old"}


def test_an_executor_that_loses_tasks(fleet: Fleet, tmp_path: Path) -> None:
    """What is lost is unknown, and undone too, when the host is back; a late task does nothing."""
    executor = Lossy({3}, {2})  # the look, the canary, then four tasks
    report = rollout.apply(
        patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a", batch="100%"
    )
    assert report.undone and report.ended
    assert "failures" in report.stopped
    assert report.counts == {"undone": 7, "not begun": 3}
    assert fleet.all_held() == {"old"}
    for function, arguments in executor.late:
        assert '"not begun"' in function(*arguments)
    assert fleet.all_held() == {"old"}


def test_a_host_that_is_cut_off_while_it_looks(fleet: Fleet, tmp_path: Path) -> None:
    """It has claimed its processes, and the ledger is kept until it has given them up."""
    executor = Lossy({1}, set(), unanswered=[0])
    with pytest.raises(RolloutError, match="cut off") as caught:
        rollout.apply(patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a")
    assert str(tmp_path / "a") in " ".join(caught.value.__notes__)
    with pytest.raises(RolloutError, match="has not ended"):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b")
    assert rollout.resume(tmp_path / "a").ended
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b").ok


def test_a_host_that_is_cut_off_at_the_end(fleet: Fleet, tmp_path: Path) -> None:
    """All is applied, and the rollout has not ended until its claims are given up."""
    executor = Lossy({3}, set())  # after the look, the canary is the only batch
    few = rollout.processes(pids=fleet.pids[:2])
    report = rollout.apply(patch_of(fleet.table), few, executor, ledger=tmp_path / "a", canary=2)
    assert report.counts == {"applied": 2} and not report.ended and not report.ok
    with pytest.raises(RolloutError, match=report.id):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b")
    again = rollout.resume(tmp_path / "a")
    assert again.ok and again.counts == {"applied": 2}
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b").ok


class Forgetful(Lossy):
    """Of some tasks, which were run, nothing is heard again.

    begun: Their futures can't be cancelled. Those of Dask can, at any time.
    """

    begun = False

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task."""
        number = self.number
        future = super().submit(fn, *args, **more)
        if number in self.unanswered:
            future = Future()
            if self.begun:
                future.set_running_or_notify_cancel()
        return future


@pytest.mark.parametrize("begun", [False, True])
def test_tasks_that_have_begun_and_do_not_answer(fleet: Fleet, tmp_path: Path, begun: bool) -> None:
    """They count as unknown, and are undone with the others."""
    executor = Forgetful(set(), set(), unanswered=[2, 3])
    executor.begun = begun
    report = rollout.apply(
        patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a", batch="100%", timeout=0.1
    )
    assert "failures" in report.stopped and "did not answer" in report.stopped
    assert report.ended and report.counts == {"undone": 10}
    assert fleet.all_held() == {"old"}


class Orderly(ThreadPoolExecutor):
    """One thread. Of the four tasks after the look, the second waits for the last one's end."""

    def __init__(self) -> None:
        super().__init__(1)
        self.submitted = 0
        self.last_ended = threading.Event()

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task."""
        number = self.submitted
        self.submitted += 1
        future = super().submit(self._later if number == 2 else fn, *args, **more)
        if number == 2:
            self.delayed = fn
        elif number == 4:
            future.add_done_callback(lambda _: self.last_ended.set())
        return future

    def _later(self, *args: Any) -> Any:
        assert self.last_ended.wait(60)
        return self.delayed(*args)


def test_what_has_not_begun_when_one_fails_never_begins(fleet: Fleet, tmp_path: Path) -> None:
    first = sorted(fleet.pids)[0]
    with pydbgwrite.attach(first) as session:
        session.write_pointers(fleet.table, [77])
    with Orderly() as executor:
        report = rollout.apply(
            patch_of(fleet.table),
            of(fleet),
            executor,
            ledger=tmp_path / "a",
            canary=10,
            keep=True,
        )
    assert report.ended and report.counts == {"refused": 1, "applied": 5, "not begun": 4}
    assert [each.pid for each in report.failures] == [first]
    held = [fleet.held(at) for at in range(10)]
    assert held.count("new") == 5 and held.count("old") == 4


def test_a_host_that_is_cut_off_during_the_undo(fleet: Fleet, tmp_path: Path) -> None:
    """Its processes keep their outcome, and a later undo finishes them."""
    executor = Lossy(set(range(2, 100)), set())
    report = rollout.apply(
        patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a", canary=4, batch="100%"
    )
    assert not report.ended and report.undone
    assert report.counts == {"applied": 1, "unknown": 3, "not begun": 6}
    assert all("cut off" in each.detail for each in report.outcomes[:4])
    # Another rollout over these processes is refused as long as this one has not ended.
    with pytest.raises(RolloutError, match=report.id):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b")
    assert not (tmp_path / "b" / "rollout.ledger").exists()
    again = rollout.resume(tmp_path / "a")
    assert again.ended and set(again.counts) <= {"undone", "not begun"}
    assert fleet.all_held() == {"old"}
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b").ok


def test_an_executor_that_is_shut_down(fleet: Fleet, tmp_path: Path) -> None:
    executor = ProcessPoolExecutor(1, get_context("spawn"))

    def check(outcomes: Any) -> bool:
        executor.shutdown()
        return True

    report = rollout.apply(
        patch_of(fleet.table), of(fleet), executor, ledger=tmp_path / "a", check=check
    )
    assert not report.ended and report.counts == {"applied": 1, "unknown": 3, "not begun": 6}
    assert "takes no task" in report.failures[0].detail
    assert rollout.undo(tmp_path / "a").ended
    assert fleet.all_held() == {"old"}


def test_two_ledgers_in_one_folder(fleet: Fleet, tmp_path: Path) -> None:
    rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    with pytest.raises(RolloutError, match="has the ledger"):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    with pytest.raises(RolloutError, match="no folder"):
        rollout.undo(tmp_path / "b")


def test_no_target(tmp_path: Path, state_folder: Path) -> None:
    with pytest.raises(RolloutError, match="no process fits: program no-such-program"):
        rollout.apply(
            patch_of(4096), rollout.processes(program="no-such-program"), ledger=tmp_path / "a"
        )
    assert not list((tmp_path / "a").iterdir())
    # A process that is asked for by its id, and is not there, has an outcome.
    gone = rollout.processes(pids=[2**22 + 1])
    assert gone.look()[0].problem
    report = rollout.apply(patch_of(4096), gone, ledger=tmp_path / "a")
    assert report.counts == {"ended before": 1}


def test_choices(fleet: Fleet, program: Path) -> None:
    own = {*fleet.pids, fleet.pid}
    by_name = rollout.processes(program=program.name)
    assert pickle.loads(pickle.dumps(by_name)) == by_name
    assert {each.pid for each in by_name.look()} == own
    assert {each.pid for each in rollout.processes(program=str(program)).look()} == own
    assert not any(each.problem for each in by_name.look())
    me = by_name.look()[0].user
    for user in (me, os.geteuid()):
        mine = rollout.processes(program=program.name, user=user)
        assert {each.pid for each in mine.look()} == own
    assert not rollout.processes(program=program.name, user="nobody-at-all").look()
    group = Path("/proc/self/cgroup").read_text().splitlines()[-1].split(":", 2)[2]
    assert {e.pid for e in rollout.processes(program=program.name, cgroup=group).look()} == own
    assert not rollout.processes(program=program.name, cgroup="/no-such-group").look()
    assert rollout.processes(pids=[fleet.pid] * 2).look()[0].pid == fleet.pid
    assert "very process" in rollout.processes(pids=[os.getpid()]).look()[0].problem
    with pydbgwrite.attach(fleet.pids[0]):
        (traced,) = rollout.processes(pids=[fleet.pids[0]]).look()
        assert "traces it" in traced.problem


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({}, ValueError),
        ({"user": "root"}, ValueError),
        ({"program": ""}, ValueError),
        ({"program": "x", "user": ""}, ValueError),
        ({"build_id": "xyz"}, ValueError),
        ({"cgroup": "/"}, ValueError),
        ({"program": 7}, TypeError),
        ({"pids": []}, ValueError),
        ({"pids": [True]}, ValueError),
        ({"pids": [0]}, ValueError),
        ({"program": "x", "user": 1.5}, TypeError),
    ],
)
def test_choices_that_are_not_valid(wrong: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        rollout.processes(**wrong)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"batch": 0}, ValueError),
        ({"batch": "0%"}, ValueError),
        ({"batch": "00%"}, ValueError),
        ({"timeout": 0}, ValueError),
        ({"batch": "25"}, ValueError),
        ({"batch": 2.5}, TypeError),
        ({"canary": -1}, ValueError),
        ({"canary": True}, TypeError),
        ({"max_failures": "101%"}, ValueError),
        ({"pause": -1}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"check": "smoke.sh"}, TypeError),
        ({"executor": "dask"}, TypeError),
        ({"executor": {}}, ValueError),
        ({"executor": {"a": 7}}, TypeError),
        ({"targets": [1]}, TypeError),
        ({"patch": "p.toml"}, TypeError),
    ],
)
def test_arguments_that_are_not_valid(
    wrong: dict[str, Any], kind: type[Exception], tmp_path: Path, state_folder: Path
) -> None:
    given = {"patch": patch_of(4096), "targets": rollout.processes(pids=[1]), **wrong}
    with pytest.raises(kind):
        rollout.apply(**given, ledger=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_folders_of_others_are_refused(fleet: Fleet, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    with pytest.raises(PermissionError, match="0700"):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=open_to_all)
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="link"):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "link")
    assert fleet.all_held() == {"old"}


def test_ledgers_that_are_damaged(fleet: Fleet, tmp_path: Path) -> None:
    """Cut anywhere, a ledger is as its writer killed there would have left it; flips are found."""
    rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    whole = (tmp_path / "a" / "rollout.ledger").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    file = copy / "rollout.ledger"
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:size])
        file.chmod(0o600)
        try:
            report = rollout.status(copy)
        except RolloutError as error:
            assert "had not begun" in str(error)
        else:
            assert len(report.outcomes) in (0, 10)
    file.write_bytes(whole[:8] + b"\x02" + whole[9:])
    with pytest.raises(JournalError, match="another version of pydbgwrite: its format is 2"):
        rollout.resume(copy)
    for at in [*range(0, len(whole) - 16, 61), 8, 9]:
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(JournalError):
            rollout.undo(copy)
    assert fleet.all_held() == {"new"}
    # A ledger that ends before its outcomes: the journals tell what was done.
    file.write_bytes(whole[: whole.index(b'"outcomes"') - 20])
    assert rollout.status(copy).counts == {"unknown": 1, "not begun": 9}
    undone = rollout.undo(copy)
    assert undone.ended and undone.counts == {"undone": 10}
    assert fleet.all_held() == {"old"}


def test_a_ledger_in_use(fleet: Fleet, tmp_path: Path) -> None:
    def check(outcomes: Any) -> bool:
        with pytest.raises(JournalError, match="in use"):
            rollout.undo(tmp_path / "a")
        return True

    assert rollout.apply(
        patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", canary=0, batch="100%", check=check
    ).ok


def test_a_full_disk(fleet: Fleet, tmp_path: Path) -> None:
    """The ledger can't grow after the first batch: what was applied is undone."""
    file = tmp_path / "a" / "rollout.ledger"
    with contextlib.ExitStack() as stack:

        def check(outcomes: Any) -> bool:
            stack.enter_context(limited(file.stat().st_size + 10))
            return True

        with pytest.raises(JournalError, match="can't be written"):
            rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", check=check)
    assert fleet.all_held() == {"old"}
    assert rollout.undo(tmp_path / "a").ended
    assert fleet.all_held() == {"old"}


def test_journals_are_in_the_state_folder_and_go_after_an_undo(
    fleet: Fleet, tmp_path: Path
) -> None:
    rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    with StateFolder("rollouts", create=False) as folder:
        journals = [name for name in folder.names() if name.endswith(".journal")]
        assert len(journals) == 10
        info = pydbgwrite.read_journal(folder.path_of(journals[0]))
        assert info.pid in fleet.pids and info.state == "committed"
        assert not [name for name in folder.names() if name.endswith((".claim", ".worker"))]
        rollout.undo(tmp_path / "a")
        assert not [name for name in folder.names() if name.endswith(".journal")]
