"""A rollout opens a process, prepares, and suspends it then: what happens in between is seen."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

from support.fleet import Fleet, compile_fleet, kill, of, patch_of
from support.processes import Child64
from support.turning import Turning, TurningChild

import pydbgwrite
from pydbgwrite import BuildCheck, NoTargetError, Patch, PatchEntry, rollout
from pydbgwrite._opening import linux
from pydbgwrite.rollout.ahead import look_ahead
from pydbgwrite.rollout.here import Here
from pydbgwrite.rollout.host import Host
from pydbgwrite.rollout.worker import run


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file."""
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"steps{os.getpid()}")


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield four processes, and a state folder of the test's own."""
    with Fleet(program, 4) as started:
        yield started


class Between:
    """Calls a function before one process is suspended for the first time: `pid`, `do`.

    later: once it is suspended.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pid: int | None = None
        self.do: Callable[[], object] = lambda: None
        self.later = False
        self.suspended: list[int | None] = []
        suspend = linux.suspend

        def around(session: pydbgwrite.Session, timeout: float) -> None:
            first = session.pid == self.pid and self.pid not in self.suspended
            if self.later:
                suspend(session, timeout)
            if first:
                self.suspended.append(session.pid)
                self.do()
            if not self.later:
                suspend(session, timeout)

        monkeypatch.setattr(linux, "suspend", around)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """Return what calls a function between the two steps of one process."""
    return Between(monkeypatch)


def without_expect(patch: Patch) -> Patch:
    """Return the same patch, which expects nothing."""
    entries = []
    for each in patch.entries:
        assert isinstance(each, PatchEntry)
        entries.append(PatchEntry(each.address, each.pointers))
    return Patch(entries)


def by_name(fleet: Fleet, program: Path) -> Patch:
    """Return the patch of a table by its name, for this build."""
    with pydbgwrite.attach(fleet.pids[0], suspend=False) as session:
        build = BuildCheck.of(session, program.name)
    return Patch(patch_of(f"{program.name}!table").entries, builds=[build])


#: The patch of a fleet is of numbers, and the same write for all but the first process; or not.
KINDS = {
    "numbers": lambda fleet, program: patch_of(fleet.table),
    "numbers without expect": lambda fleet, program: without_expect(patch_of(fleet.table)),
    "names": by_name,
}


@pytest.fixture(params=KINDS)
def patch(request: pytest.FixtureRequest, fleet: Fleet, program: Path) -> Patch:
    """Return a patch of each kind for the fleet."""
    made: Patch = KINDS[request.param](fleet, program)
    return made


def all_at_once(patch: Patch, chosen: rollout.Choice, ledger: Path, **more: Any) -> rollout.Report:
    """Patch all by one thread, in the order of their ids."""
    return rollout.apply(patch, chosen, ledger=ledger, canary=0, batch="100%", **more)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("at", [0, 3])
def test_one_ends(
    fleet: Fleet, tmp_path: Path, patch: Patch, between: Between, at: int, later: bool
) -> None:
    """Nothing was written to it, and the rollout goes on: also if it ends while it is suspended."""
    between.pid, between.later = fleet.pids[at], later
    between.do = lambda: kill(fleet.pids[at])
    report = all_at_once(patch, of(fleet), tmp_path / "a")
    assert between.suspended == [fleet.pids[at]]
    assert report.ok and report.counts == {"ended during": 1, "applied": 3}
    assert {fleet.held(n) for n in range(4) if n != at} == {"new"}


@pytest.mark.parametrize(
    ("what", "moment"),
    [
        *itertools.product(("look", "apply", "undo"), ("before", "opened")),
        ("undo", "identified"),
    ],
)
def test_one_ends_around_its_opening(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, moment: str
) -> None:
    """That is no failure, and the others go on."""
    patch, chosen, ends = patch_of(fleet.table), of(fleet), fleet.pids[0]
    (process,) = rollout.processes(pids=[ends]).look()
    if what == "undo":
        assert all_at_once(patch, chosen, tmp_path / "a").ok

    class Ending(Here):
        def open(self, pid: int, *given: Any, **more: Any) -> pydbgwrite.Session:
            end(pid, "before")
            session = super().open(pid, *given, **more)
            end(pid, "opened")
            return session

        def differs(self, session: pydbgwrite.Session, pid: int, started: str) -> str | None:
            found = super().differs(session, pid, started)
            end(pid, "identified")
            return found

    def end(pid: int, now: str) -> None:
        if (pid, now) == (ends, moment):
            kill(pid)

    for module in ("worker", "ahead"):
        monkeypatch.setattr(f"pydbgwrite.rollout.{module}.Here", Ending)
    if what == "look":
        assert look_ahead(patch, process).state == "ended before"
    elif what == "apply":
        report = all_at_once(patch, chosen, tmp_path / "a")
        assert report.ok and report.counts == {"ended before": 1, "applied": 3}
    else:
        report = rollout.undo(tmp_path / "a")
        assert report.ended and report.counts == {"ended during": 1, "undone": 3}
    assert {fleet.held(n) for n in range(1, 4)} == {"new" if what == "apply" else "old"}


@pytest.mark.parametrize("at", [0, 3])
def test_one_holds_another_value(fleet: Fleet, tmp_path: Path, between: Between, at: int) -> None:
    """What it holds while it stands still decides, and nothing is written to it."""

    def change() -> None:
        with pydbgwrite.attach(fleet.pids[at], suspend=False) as other:
            other.write_pointers(fleet.table + 24, [77])

    between.pid, between.do = fleet.pids[at], change
    report = all_at_once(patch_of(fleet.table), of(fleet), tmp_path / "a")
    states = {each.pid: each for each in report.outcomes}
    assert between.suspended == [fleet.pids[at]]
    refused = states.pop(fleet.pids[at])
    assert refused.state == "refused" and "expected 0x3 " in refused.detail
    assert "found 0x4d" in refused.detail
    assert report.undone and {each.state for each in states.values()} <= {"undone", "not begun"}
    with pydbgwrite.attach(fleet.pids[at]) as session:
        words = list(session.read_pointers(fleet.table, 30))
    assert words == [77 if n == 3 else n for n in range(30)]
    assert {fleet.held(n) for n in range(4) if n != at} == {"old"}


@pytest.mark.parametrize("at", [0, 3])
def test_one_holds_the_patch(
    fleet: Fleet, tmp_path: Path, patch: Patch, between: Between, at: int
) -> None:
    """It has it from another, so an undo leaves it."""

    def apply() -> None:
        with pydbgwrite.attach(fleet.pids[at], suspend=False) as other:
            patch_of(fleet.table).apply(other)

    between.pid, between.do = fleet.pids[at], apply
    report = all_at_once(patch, of(fleet), tmp_path / "a")
    assert between.suspended == [fleet.pids[at]]
    assert report.ok and report.counts == {"applied": 3, "already applied": 1}
    states = {each.pid: each.state for each in report.outcomes}
    assert states[fleet.pids[at]] == "already applied"
    assert fleet.all_held() == {"new"}
    assert rollout.undo(tmp_path / "a").ended
    assert [fleet.held(n) for n in range(4)] == ["new" if n == at else "old" for n in range(4)]


def test_one_has_nothing_there(fleet: Fleet, tmp_path: Path) -> None:
    """The write that others get can't be made there, and a look says why."""
    with Child64() as child:
        chosen = rollout.processes(pids=[*fleet.pids, child.pid])
        patch = without_expect(patch_of(fleet.table))
        report = all_at_once(patch, chosen, tmp_path / "a")
        assert report.undone
        (refused,) = [each for each in report.outcomes if each.pid == child.pid]
        assert refused.state == "refused" and "is not mapped" in refused.detail
        assert fleet.all_held() == {"old"}


def test_the_rollout_ends(
    fleet: Fleet, tmp_path: Path, patch: Patch, between: Between, state_folder: Path
) -> None:
    """Who undoes it finds a journal without a record, so nothing may be written any more."""

    def end() -> None:
        host = Host(rollout.status(tmp_path / "a").id)
        host.end()
        host.close()

    between.pid, between.do = fleet.pids[2], end
    report = all_at_once(patch, of(fleet), tmp_path / "a")
    assert between.suspended == [fleet.pids[2]]
    states = {each.pid: each.state for each in report.outcomes}
    assert states[fleet.pids[2]] == "not begun"
    assert fleet.held(2) == "old"
    for at in range(4):
        assert (fleet.held(at) == "new") == (states[fleet.pids[at]] == "applied")


def test_another_traces_it(fleet: Fleet, tmp_path: Path, patch: Patch, between: Between) -> None:
    with ThreadPoolExecutor(1) as other:
        held: list[pydbgwrite.Session] = []

        def attach() -> None:
            held.append(other.submit(pydbgwrite.attach, fleet.pids[2]).result())

        between.pid, between.do = fleet.pids[2], attach
        report = all_at_once(patch, of(fleet), tmp_path / "a")
        other.submit(held[0].close).result()
    states = {each.pid: each for each in report.outcomes}
    assert states[fleet.pids[2]].state == "no access"
    assert report.undone and between.suspended == [fleet.pids[2]]
    assert fleet.all_held() == {"old"}
    assert all_at_once(patch, of(fleet), tmp_path / "b").counts == {"applied": 4}
    assert fleet.all_held() == {"new"}


class Known(Executor):
    """Runs tasks at once, and keeps the last one."""

    def __init__(self) -> None:
        self.task = ""

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task."""
        self.task = args[0]
        future: Future[Any] = Future()
        future.set_result(fn(*args))
        return future


def test_a_task_that_is_run_twice(
    fleet: Fleet, tmp_path: Path, patch: Patch, between: Between, state_folder: Path
) -> None:
    """The second run has all to itself, so the first one finds that all is done."""
    executor, answers = Known(), []
    between.pid, between.do = fleet.pids[0], lambda: answers.append(run(executor.task))
    report = rollout.apply(
        patch, of(fleet), executor, ledger=tmp_path / "a", canary=1, batch="100%"
    )
    assert answers == ['[["applied", ""]]']
    assert report.ok and report.counts == {"applied": 4}
    assert fleet.all_held() == {"new"}
    found = state_folder.parent.joinpath("rollouts").glob(f"*-{fleet.pids[0]}-*.journal")
    assert len(list(found)) == 2
    assert rollout.undo(tmp_path / "a").counts == {"undone": 4}
    assert fleet.all_held() == {"old"}


# ---- execve ----------------------------------------------------------------------------------


def test_one_runs_another_program(state_folder: Path, tmp_path: Path, between: Between) -> None:
    with Turning() as child:
        between.pid, between.do = child.pid, child.turn
        chosen = rollout.processes(pids=[child.pid])
        report = all_at_once(without_expect(patch_of(child.table)), chosen, tmp_path / "a")
        assert between.suspended == [child.pid]
        assert report.counts == {"refused": 1}
        assert "it runs another program now: " in report.outcomes[0].detail


def test_a_session_of_the_program_before_is_not_suspended(tmp_path: Path) -> None:
    with Turning() as child, pydbgwrite.attach(child.pid, suspend=False) as session:
        child.turn()
        with pytest.raises(NoTargetError):
            linux.suspend(session, 10)
        child.say_and_hear(b"it runs\n")


def test_memory_that_another_process_keeps(tmp_path: Path) -> None:
    """Its descriptor still leads to memory, but no longer to that of the process."""
    with (
        TurningChild(tmp_path / "shares") as parent,
        pydbgwrite.attach(parent.sharer, suspend=False) as session,
    ):
        parent.turn()
        assert session.read_pointers(parent.table, 1)[0] == 1
        with pytest.raises(NoTargetError):
            linux.suspend(session, 10)


# ---- the second step itself ------------------------------------------------------------------


def test_it_is_as_one_that_was_attached_suspended() -> None:
    with Child64() as child, pydbgwrite.attach(child.pid, suspend=False) as session:
        place = child.areas["rw"]
        session.write_pointers(place, range(512))
        assert child.read(place + 8, 8) == (1).to_bytes(8, "little")
        linux.suspend(session, 10)
        linux.suspend(session, 10)
        assert Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "t"
        assert list(session.read_pointers(place, 512)) == list(range(512))
        with session.transaction():
            session.write_scattered(range(place, place + 4096, 8), range(512, 1024), verify=True)
        session.close()
        assert child.read(place, 8) == (512).to_bytes(8, "little")


def test_only_a_process_can_be_suspended() -> None:
    with (
        pydbgwrite.simulate([(0x1000, 0x1000)]) as session,
        pytest.raises(ValueError, match="live Linux process"),
    ):
        pydbgwrite._core.linux_suspend(session, 1.0)
    with pytest.raises(TypeError):
        pydbgwrite._core.linux_suspend(1, 1.0)  # type: ignore[arg-type]
    with pytest.raises(pydbgwrite.SessionClosedError):
        pydbgwrite._core.linux_suspend(session, 1.0)
