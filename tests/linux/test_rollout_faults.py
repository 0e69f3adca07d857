"""Rollouts where something else is in the way: other hands, damaged journals, wrong workers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

from support.commands import command
from support.fleet import ENTRIES, Fleet, compile_fleet, of, patch_of
from support.limits import limited
from support.turning import Turning

import pydbgwrite
from pydbgwrite import JournalError, Patch, PatchEntry, RolloutError, ScatteredEntry, rollout
from pydbgwrite._journal import linux_process
from pydbgwrite._journal.locks import lock
from pydbgwrite._state_folder import StateFolder
from pydbgwrite.rollout.choice import Choice
from pydbgwrite.rollout.here import Here
from pydbgwrite.rollout.ledger import Ledger
from pydbgwrite.rollout.there import ServerChoice
from pydbgwrite.rollout.worker import run


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file."""
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"faults{os.getpid()}")


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield four processes, and a state folder of the test's own."""
    with Fleet(program, 4) as started:
        yield started


class Before(Executor):
    """Runs tasks at once; before the one of that number it calls a function.

    lost: the numbers of tasks that are run, and whose answers are lost.
    """

    def __init__(
        self,
        number: int = -1,
        do: Callable[[], object] = lambda: None,
        *,
        lost: tuple[int, ...] = (),
    ) -> None:
        self.number, self.do, self.lost = number, do, lost
        self.submitted = 0

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task."""
        number, self.submitted = self.submitted, self.submitted + 1
        if number == self.number:
            self.do()
        future: Future[Any] = Future()
        try:
            future.set_result(self.done(number, fn, *args))
            if number in self.lost:
                future = Future()
                raise ConnectionError("the host is cut off")
        except Exception as error:
            future.set_exception(error)
        return future

    def done(self, number: int, fn: Any, *args: Any) -> Any:
        """Run a task, and return its answer."""
        return fn(*args)


# ---- executors -------------------------------------------------------------------------------


def test_an_executor_for_each_machine(fleet: Fleet, tmp_path: Path) -> None:
    """The names are those of the outcomes; a machine without an executor keeps what it has."""
    patch = patch_of(fleet.table)
    with ThreadPoolExecutor(2) as pool:
        report = rollout.apply(patch, of(fleet), {"here": pool}, ledger=tmp_path / "a")
        assert report.ok and {each.host for each in report.outcomes} == {"here"}
        elsewhere = rollout.undo(tmp_path / "a", {"there": pool})
        assert not elsewhere.ended and elsewhere.counts == {"applied": 4}
        assert "no executor is given for here" in elsewhere.outcomes[0].detail
        assert fleet.all_held() == {"new"}
        assert rollout.undo(tmp_path / "a", {"here": pool}).counts == {"undone": 4}
        again = rollout.undo(tmp_path / "a", {"there": pool})
        assert again.ended and again.counts == {"undone": 4}  # nothing is left to ask for
        with pytest.raises(RolloutError, match="are executors of one machine: give one for each"):
            rollout.apply(patch, of(fleet), {"one": pool, "two": pool}, ledger=tmp_path / "b")
    assert fleet.all_held() == {"old"}


class OtherVersion(Before):
    """The worker's version is another one."""

    def done(self, number: int, fn: Any, *args: Any) -> Any:
        """Send the task as of an older version."""
        return fn(json.dumps({**json.loads(args[0]), "version": "0.0.1"}))


def test_a_worker_of_another_version(fleet: Fleet, tmp_path: Path) -> None:
    with pytest.raises(RolloutError, match="install the same version on both"):
        rollout.apply(patch_of(fleet.table), of(fleet), OtherVersion(), ledger=tmp_path / "a")
    assert fleet.all_held() == {"old"}


def test_a_task_whose_id_is_a_path(state_folder: Path) -> None:
    """The id is a part of the names of files."""
    task = {"version": pydbgwrite.__version__, "rollout": "../" * 10 + "ab", "task": "look"}
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        run(json.dumps(task))
    assert not state_folder.parent.exists()


class Mumbling(Before):
    """The answer to the first batch can't be read."""

    def done(self, number: int, fn: Any, *args: Any) -> Any:
        """Run a task, and return its answer."""
        answer = fn(*args)
        return "{" if number == 1 else answer


def test_an_answer_that_cannot_be_read(fleet: Fleet, tmp_path: Path) -> None:
    """What was done is not known, so that it is undone too."""
    report = rollout.apply(patch_of(fleet.table), of(fleet), Mumbling(), ledger=tmp_path / "a")
    assert "its worker's answer can't be read" in report.stopped
    assert report.ended and report.counts == {"undone": 1, "not begun": 3}
    assert fleet.all_held() == {"old"}


class Cancelling(Before):
    """Cancels the first batch after it has been run."""

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task."""
        number = self.submitted
        future = super().submit(fn, *args, **more)
        if number == 1:
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
        return future


def test_an_executor_that_cancels_a_task(fleet: Fleet, tmp_path: Path) -> None:
    report = rollout.apply(patch_of(fleet.table), of(fleet), Cancelling(), ledger=tmp_path / "a")
    assert "its executor has cancelled it" in report.stopped
    assert report.ended and report.counts == {"undone": 1, "not begun": 3}
    assert fleet.all_held() == {"old"}


class CutOff(Future[Any]):
    """What became of its task can't be asked for."""

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Fail."""
        raise ConnectionError("the scheduler is cut off")


class Unreachable(Before):
    """Takes the tasks of an undo, and runs none of them."""

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Run a task."""
        if json.loads(args[0])["task"] != "undo":
            return super().submit(fn, *args, **more)
        future = CutOff()
        future.set_result("")
        return future


def test_an_undo_that_fails_after_an_exception(fleet: Fleet, tmp_path: Path) -> None:
    """Both are told, and the ledger goes on."""

    def check(_outcomes: object) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        rollout.apply(
            patch_of(fleet.table), of(fleet), Unreachable(), ledger=tmp_path / "a", check=check
        )
    assert caught.value.__notes__ == [
        "The rollout could NOT be undone: the scheduler is cut off. Its ledger has all of it"
    ]
    assert [fleet.held(at) for at in range(4)] == ["new", "old", "old", "old"]
    assert rollout.undo(tmp_path / "a").counts == {"undone": 1, "not begun": 3}
    assert fleet.all_held() == {"old"}


def test_another_machine_answers_later(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has none of the processes: what was applied to the first one's is undone."""
    other = {**linux_process.machine(), "machine": "another"}

    class Moving(Before):
        def done(self, number: int, fn: Any, *args: Any) -> Any:
            with monkeypatch.context() as patched:
                if number == 2:  # the late look
                    patched.setattr("pydbgwrite.rollout.host.machine", lambda: other)
                return fn(*args)

    with pytest.raises(RolloutError, match="is another machine now") as caught:
        rollout.apply(
            patch_of(fleet.table),
            rollout.processes(pids=fleet.pids[:1]),
            Moving(),
            ledger=tmp_path / "a",
            until_stable=True,
        )
    assert "was undone" in " ".join(caught.value.__notes__)
    assert fleet.all_held() == {"old"}


# ---- what is chosen, and stages --------------------------------------------------------------


def test_scattered_entries(fleet: Fleet, tmp_path: Path) -> None:
    """They are sent, and kept in the ledger, as the others are."""
    places = [fleet.table + 24 * number for number in range(ENTRIES)]
    new, old = [1000 + n for n in range(ENTRIES)], [3 * n for n in range(ENTRIES)]
    patch = Patch([ScatteredEntry(places, new, expect=old)])
    assert rollout.apply(patch, of(fleet), ledger=tmp_path / "a").ok
    assert fleet.all_held() == {"new"}
    assert rollout.undo(tmp_path / "a").counts == {"undone": 4}
    assert fleet.all_held() == {"old"}


def test_pauses_are_between_the_batches(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[float, int]] = []

    def note(seconds: float) -> None:
        held.append((seconds, [fleet.held(at) for at in range(4)].count("new")))

    with monkeypatch.context() as patched:
        patched.setattr("time.sleep", note)
        report = rollout.apply(
            patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", batch=2, pause=2.5
        )
    assert report.ok and held == [(2.5, 1), (2.5, 3)]


def test_processes_that_start_without_end(
    fleet: Fleet, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some looks it says so, and the command line too."""
    monkeypatch.setattr("pydbgwrite.rollout.coordinator._MOST_LOOKS", 2)
    with ExitStack() as started:
        report = rollout.apply(
            patch_of(f"{program.name}!table"),
            rollout.processes(program=program.name),
            ledger=tmp_path / "a",
            check=lambda outcomes: started.enter_context(Fleet(program, 0)),
            until_stable=True,
        )
        assert report.ok and report.stable is False and report.late
        assert "had started meanwhile; processes still start: run it again" in str(report)
        said = command("rollout", "status", tmp_path / "a")
        assert f"{report.late} of these had started meanwhile." in said.out
        assert "processes still start: run it again" in said.err


def test_one_that_starts_meanwhile_fails_its_check(
    fleet: Fleet, program: Path, tmp_path: Path
) -> None:
    """Then all is undone, and nobody looks for more."""
    batches: list[int] = []
    with ExitStack() as started:

        def check(outcomes: Sequence[rollout.Outcome]) -> bool:
            batches.append(len(outcomes))
            if len(batches) == 1:
                started.enter_context(Fleet(program, 0))
            return len(batches) == 1

        report = rollout.apply(
            patch_of(f"{program.name}!table"),
            rollout.processes(program=program.name),
            ledger=tmp_path / "a",
            canary=0,
            batch="100%",
            check=check,
            until_stable=True,
        )
        assert batches == [5, 1]
        assert report.undone and report.late == 1 and report.counts == {"undone": 6}
        assert report.stable is None
        assert fleet.all_held() == {"old"}


def test_a_process_with_the_memory_of_this_one(fleet: Fleet, tmp_path: Path) -> None:
    """The tracer of a session is one: to write there is to write here."""
    file = tmp_path / "patch.toml"
    file.write_text(f"format = 1\n[[write]]\naddress = {fleet.table}\npointers = [1000]\n")
    with pydbgwrite.attach(fleet.pids[0]):
        status = Path(f"/proc/{fleet.pids[0]}/status").read_text()
        tracer = int(status.partition("TracerPid:")[2].split()[0])
        done = command("rollout", "apply", file, "-p", tracer, "--dry-run", "--json")
        chosen = rollout.processes(pids=[tracer])
        report = rollout.apply(patch_of(fleet.table), chosen, ledger=tmp_path / "a")
    for each in (done.said["processes"][0], report.outcomes[0]._asdict()):
        assert each["state"] == "refused"
        assert "has the memory of this very process" in each["detail"]


def test_a_process_that_another_traces(fleet: Fleet, program: Path, tmp_path: Path) -> None:
    """It is listed with that problem, and nothing is done to it."""
    file = tmp_path / "patch.toml"
    file.write_text(f"format = 1\n[[write]]\naddress = {fleet.table}\npointers = [1000]\n")
    with pydbgwrite.attach(fleet.pids[0]) as session:
        build = pydbgwrite.BuildCheck.of(session, program.name).build_id
        chosen = rollout.processes(program=program.name, build_id=build)
        problems = {each.pid: each.problem for each in chosen.look()}
        assert set(problems) == {fleet.pid, *fleet.pids}
        assert "traces it" in problems[fleet.pids[0]] and not problems[fleet.pids[1]]
        line = ("rollout", "apply", file, "-p", fleet.pids[0], "--dry-run", "--json")
        (process,) = command(*line).said["processes"]
        assert process["state"] == "no access" and "traces it" in process["detail"]
        report = rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
        assert report.counts["no access"] == 1 and report.undone
    assert fleet.all_held() == {"old"}


def test_a_process_that_has_no_memory_any_more(fleet: Fleet) -> None:
    """One that has ended, and that its parent has not collected, has no build."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        found = rollout.processes(pids=[pid], build_id="ab" * 20).look()
        assert all(each.problem for each in found)
    finally:
        os.waitpid(pid, 0)


# ---- another program -------------------------------------------------------------------------


def test_a_process_that_runs_another_program_by_then(state_folder: Path, tmp_path: Path) -> None:
    with Turning() as child:
        report = rollout.apply(
            patch_of(child.table),
            rollout.processes(pids=[child.pid]),
            Before(1, child.turn),
            ledger=tmp_path / "a",
        )
        assert report.counts == {"refused": 1}
        assert "it runs another program now: " in report.outcomes[0].detail


def test_a_process_that_runs_another_program_before_the_undo(
    state_folder: Path, tmp_path: Path
) -> None:
    """Nothing of the patch is left in it."""
    with Turning() as child:
        chosen = rollout.processes(pids=[child.pid])
        assert rollout.apply(patch_of(child.table), chosen, ledger=tmp_path / "a").ok
        child.turn()
        report = rollout.undo(tmp_path / "a")
        assert report.ended and report.counts == {"ended during": 1}
        assert report.outcomes[0].detail == "it runs another program now"


# ---- journals --------------------------------------------------------------------------------


def journals(folder: Path) -> list[Path]:
    """Return the journals of all rollouts."""
    return sorted(folder.parent.joinpath("rollouts").glob("*.journal"))


def test_an_undo_finds_what_others_wrote(fleet: Fleet, tmp_path: Path) -> None:
    """It is left alone, and what was meant is not there any more."""
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a").ok
    with pydbgwrite.attach(fleet.pids[2]) as session:
        session.write_pointers(fleet.table + 24, [77])
    report = rollout.undo(tmp_path / "a")
    assert not report.ended and report.counts == {"partly written": 1, "undone": 3}
    assert [fleet.held(at) for at in range(4)] == ["old", "old", "mixed", "old"]
    with pydbgwrite.attach(fleet.pids[2]) as session:
        assert list(session.read_pointers(fleet.table + 24, 1)) == [77]
        session.write_pointers(fleet.table + 24, [3])  # by hand
    again = rollout.undo(tmp_path / "a")
    assert again.counts == {"undone": 4}, again.failures
    assert fleet.all_held() == {"old"}


def test_an_undo_without_a_journal_that_can_be_read(
    fleet: Fleet, state_folder: Path, tmp_path: Path
) -> None:
    """One that is damaged is no proof; one of which nothing was written is that of nothing."""
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a").ok
    damaged = journals(state_folder)[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    report = rollout.undo(tmp_path / "a")
    assert not report.ended and report.counts == {"unknown": 1, "undone": 3}
    (unknown,) = report.failures
    assert unknown.detail.startswith("it could not be undone: ") and str(damaged) in unknown.detail
    assert str(unknown.pid) in damaged.name
    assert sorted(fleet.held(at) for at in range(4)) == ["new", "old", "old", "old"]
    damaged.write_bytes(whole)
    assert rollout.undo(tmp_path / "a").counts == {"undone": 4}
    assert fleet.all_held() == {"old"}


def test_an_undo_of_a_process_that_another_traces(fleet: Fleet, tmp_path: Path) -> None:
    """Its journal says what it holds: the patch, or what an undo left whose answer was lost."""
    one = rollout.processes(pids=fleet.pids[:1])
    assert rollout.apply(patch_of(fleet.table), one, ledger=tmp_path / "a").ok
    with pydbgwrite.attach(fleet.pids[0]):
        report = rollout.undo(tmp_path / "a")
        assert not report.ended and report.counts == {"applied": 1}
        assert report.outcomes[0].detail.startswith("it could not be undone: no access to process")
    lost = rollout.undo(tmp_path / "a", Before(lost=(0,)))
    assert not lost.ended and lost.counts == {"applied": 1}
    assert fleet.held(0) == "old"
    with pydbgwrite.attach(fleet.pids[0]):
        report = rollout.undo(tmp_path / "a")
        assert report.ended and report.counts == {"undone": 1}


def left_by_a_lost_worker(fleet: Fleet, state_folder: Path, ledger: Path) -> Path:
    """Patch one process by a worker whose answer is lost, and return the journal that it left."""
    one = rollout.processes(pids=fleet.pids[:1])
    cut = Before(lost=(1,))
    report = rollout.apply(patch_of(fleet.table), one, cut, ledger=ledger, keep=True)
    assert not report.ended and report.counts == {"unknown": 1}
    (journal,) = journals(state_folder)
    return journal


@pytest.mark.parametrize("keep", [16, -1])
def test_a_worker_that_was_killed(
    fleet: Fleet, state_folder: Path, tmp_path: Path, keep: int
) -> None:
    """A journal that it left short says that nothing was written, or what is to be undone first."""
    journal = left_by_a_lost_worker(fleet, state_folder, tmp_path / "a")
    if keep == 16:
        with pydbgwrite.attach(fleet.pids[0]) as session:
            pydbgwrite.undo(journal, session)
    with journal.open("r+b") as file:
        file.truncate(keep if keep > 0 else journal.stat().st_size - 1)
    again = rollout.resume(tmp_path / "a")
    assert again.ok and again.counts == {"applied": 1}
    assert len(journals(state_folder)) == 2 and fleet.held(0) == "new"
    assert rollout.undo(tmp_path / "a").counts == {"undone": 1}
    assert fleet.held(0) == "old"


@pytest.mark.parametrize(
    ("damaged", "go_on", "state"),
    [
        (True, "resume", "unknown"),
        (True, "undo", "unknown"),
        (False, "resume", "no access"),
        (False, "undo", "not begun"),
    ],
)
def test_a_worker_that_was_killed_and_another_tracer(
    fleet: Fleet, state_folder: Path, tmp_path: Path, damaged: bool, go_on: str, state: str
) -> None:
    """A damaged journal says that something may be there, one without a header that nothing is."""
    journal = left_by_a_lost_worker(fleet, state_folder, tmp_path / "a")
    whole = journal.read_bytes()
    flipped = whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]
    journal.write_bytes(flipped if damaged else whole[:16])
    with pydbgwrite.attach(fleet.pids[0]):
        report = getattr(rollout, go_on)(tmp_path / "a")
    assert report.counts == {state: 1}
    assert report.ended == (not damaged)


def test_a_worker_that_was_killed_and_others_write(
    fleet: Fleet, state_folder: Path, tmp_path: Path
) -> None:
    """What it wrote can't all be taken back; nothing more is written."""
    journal = left_by_a_lost_worker(fleet, state_folder, tmp_path / "a")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-1])
    with pydbgwrite.attach(fleet.pids[0]) as session:
        session.write_pointers(fleet.table + 24, [77])
    report = rollout.resume(tmp_path / "a")
    assert report.counts == {"partly written": 1} and not report.ok
    assert fleet.held(0) == "mixed"


def test_a_damaged_journal_of_an_earlier_attempt(
    fleet: Fleet, state_folder: Path, tmp_path: Path
) -> None:
    journal = left_by_a_lost_worker(fleet, state_folder, tmp_path / "a")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    report = rollout.resume(tmp_path / "a")
    assert not report.ended and report.counts == {"unknown": 1}
    assert str(journal) in report.failures[0].detail
    journal.write_bytes(whole)
    assert rollout.resume(tmp_path / "a").counts == {"applied": 1}
    assert fleet.held(0) == "new"


def test_a_journal_that_others_may_write_to(
    fleet: Fleet, state_folder: Path, tmp_path: Path
) -> None:
    """It proves nothing of its process. Those of the same task have journals of their own."""
    ledger, chosen = tmp_path / "a", rollout.processes(pids=[*fleet.pids, fleet.pid])
    cut = Before(lost=(1, 2, 3))
    options: dict[str, Any] = {"canary": 0, "batch": 5, "max_failures": 5, "keep": True}
    lost = rollout.apply(patch_of(fleet.table), chosen, cut, ledger=ledger, **options)
    assert cut.submitted == 4 and lost.counts == {"unknown": 5}
    journal = journals(state_folder)[1]  # in both directions its process is the second of a task
    journal.chmod(0o666)
    for go_on, others in (("resume", "applied"), ("undo", "undone")):
        report = getattr(rollout, go_on)(ledger)
        assert not report.ended and report.counts == {others: 4, "unknown": 1}
        (unknown,) = report.failures
        assert "its mode is 0666" in unknown.detail and str(journal) in unknown.detail
    journal.chmod(0o600)
    assert rollout.undo(ledger).counts == {"undone": 5}
    assert fleet.all_held() == {"old"}


def test_an_attempt_that_was_undone_is_made_again(
    fleet: Fleet, state_folder: Path, tmp_path: Path
) -> None:
    journal = left_by_a_lost_worker(fleet, state_folder, tmp_path / "a")
    with pydbgwrite.attach(fleet.pids[0]) as session:
        assert pydbgwrite.undo(journal, session).complete
    assert fleet.held(0) == "old"
    assert rollout.resume(tmp_path / "a").counts == {"applied": 1}
    assert fleet.held(0) == "new"


def test_a_journal_that_is_full_on_the_way(
    fleet: Fleet, state_folder: Path, tmp_path: Path
) -> None:
    """What was written before is taken back."""
    one = rollout.processes(pids=fleet.pids[:1])
    patch = patch_of(fleet.table)
    assert rollout.apply(patch, one, ledger=tmp_path / "a").ok
    (journal,) = journals(state_folder)
    size = journal.stat().st_size
    rollout.undo(tmp_path / "a")

    class Full(Before):
        def done(self, number: int, fn: Any, *args: Any) -> Any:
            if number != 1:
                return fn(*args)
            # In the middle of the last record, of 48 bytes: a header has some digits more or less.
            with limited(size - 24):
                return fn(*args)

    report = rollout.apply(patch, one, Full(), ledger=tmp_path / "b")
    assert report.ended and report.counts == {"failed and undone": 1}
    (outcome,) = report.outcomes
    assert outcome.detail.endswith(". This was undone: it holds what it held before")
    assert fleet.held(0) == "old"


def test_journals_of_processes_that_have_ended(
    fleet: Fleet, program: Path, state_folder: Path, tmp_path: Path
) -> None:
    """The next rollout removes them."""
    with Fleet(program, 2) as other:
        assert rollout.apply(patch_of(other.table), of(other), ledger=tmp_path / "a").ok
    assert len(journals(state_folder)) == 2
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b").ok
    kept = journals(state_folder)
    assert len(kept) == 4
    assert {int(each.name.split("-")[2]) for each in kept} == set(fleet.pids)


# ---- claims, locks and ledgers ---------------------------------------------------------------


def test_a_claim_that_cannot_be_read(fleet: Fleet, state_folder: Path, tmp_path: Path) -> None:
    """It may be for these processes: nothing is written until somebody has looked."""
    damaged: list[Path] = []

    def check(outcomes: object) -> bool:
        (claim,) = state_folder.parent.joinpath("rollouts").glob("*.claim")
        claim.write_text("{")
        damaged.append(claim)
        with pytest.raises(RolloutError, match="can't be read") as caught:
            rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b")
        assert str(claim) in str(caught.value)
        return True

    first = rollout.processes(pids=fleet.pids[:1])
    assert rollout.apply(patch_of(fleet.table), first, ledger=tmp_path / "a", check=check).ok
    assert len(damaged) == 1 and fleet.all_held() == {"new", "old"}
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b").ok


def test_a_lock_that_another_holds(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pydbgwrite.rollout.host._LOCK_TRIES", 2)
    with (
        StateFolder("rollouts", create=True) as folder,
        folder.open("lock", os.O_RDWR | os.O_CREAT) as file,
    ):
        lock(file, "lock")
        with pytest.raises(RolloutError, match="in use"):
            rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    assert fleet.all_held() == {"old"}
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "b").ok


def test_a_ledger_that_finds_no_room(fleet: Fleet, tmp_path: Path) -> None:
    with limited(20), pytest.raises(JournalError, match="can't be written"):
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    assert not list((tmp_path / "a").iterdir())
    assert fleet.all_held() == {"old"}


@pytest.mark.parametrize(
    ("kind", "payload", "why"),
    [
        (1, b"{}", "out of order"),
        (2, b"\xff", "can't decode"),
        (3, b"[]", "no attribute"),
        (3, b"[" * 100_000, "recursion"),
    ],
)
def test_a_ledger_of_another_mind(tmp_path: Path, kind: int, payload: bytes, why: str) -> None:
    """Each record is whole, and what one says is no event of a rollout."""
    book = Ledger.create(str(tmp_path / "a"), {"id": "ab" * 16}, "{}")
    book._add(kind, payload)
    book.close()
    for function in (rollout.status, rollout.undo, rollout.resume):
        with pytest.raises(JournalError, match=f"a record can't be read .*{why}"):
            function(tmp_path / "a")


def test_the_way_on_after_an_undo_that_is_not_finished(fleet: Fleet, tmp_path: Path) -> None:
    """The command line names the undo, not the resume."""
    ledger = tmp_path / "a"
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=ledger).ok
    with pydbgwrite.attach(fleet.pids[0]):
        assert not rollout.undo(ledger).ended
    said = command("rollout", "status", ledger)
    assert f"To go on with its undo: pydbgwrite rollout undo {ledger}" in said.out
    seen: list[str] = []

    def check(outcomes: object) -> bool:
        seen.append(command("rollout", "status", tmp_path / "b").out)
        seen.append(str(rollout.status(tmp_path / "b")))
        return False

    assert rollout.undo(ledger).ended
    entry = Patch([PatchEntry(fleet.table, [1000])])
    report = rollout.apply(entry, of(fleet), ledger=tmp_path / "b", check=check, keep=True)
    assert report.counts == {"applied": 1, "not begun": 3}
    assert "A process works on it." in seen[0] and "a process works on it" in seen[1]
    said = command("rollout", "status", tmp_path / "b")
    assert "stopped: the check after a batch failed" in said.err
    assert "the patch stays in 1 process" in said.err


def test_processes_that_nothing_identifies(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a process server that can be: such a one is refused, and an undo leaves it alone."""
    answer: list[str | None] = ["nothing proves it"]

    class Far(Here):
        key, name = "ab" * 12, "far"

        def __init__(self, options: str) -> None:
            assert options == "tcp:server=far,port=1,password=open-sesame"

        def differs(self, session: pydbgwrite.Session, pid: int, started: str) -> str | None:
            return answer[-1]

    monkeypatch.setattr("pydbgwrite.rollout.worker.There", Far)
    chosen = ServerChoice(pids=tuple(fleet.pids), server="tcp:server=far,port=1")
    chosen.options = server = "tcp:server=far,port=1,password=open-sesame"
    patch, count = patch_of(fleet.table), len(fleet.pids)

    def apply(ledger: str) -> rollout.Report:
        return rollout.apply(patch, chosen, ledger=tmp_path / ledger, keep=True, max_failures=count)

    assert apply("refused").counts == {"refused": count}
    answer.append("")
    assert apply("ended").counts == {"ended before": count}
    assert fleet.all_held() == {"old"}
    answer.append(None)
    assert apply("applied").counts == {"applied": count}
    answer.append("nothing proves it")
    done = command("rollout", "undo", tmp_path / "applied")
    assert done.code == 2 and "go on in Python, with server=" in done.err
    undone = rollout.undo(tmp_path / "applied", server=server)
    assert not undone.ended and undone.counts == {"unknown": count}
    assert {each.detail for each in undone.outcomes} == {
        "it could not be undone: nothing proves it"
    }
    assert fleet.all_held() == {"new"}
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert any(each.suffix == ".journal" for each in files)
    assert not any(b"open-sesame" in each.read_bytes() for each in files)
    answer.append(None)
    undone = rollout.undo(tmp_path / "applied", server=server)
    assert undone.ended and undone.counts == {"undone": count}
    assert fleet.all_held() == {"old"}


def test_there_is_no_engine_here() -> None:
    with pytest.raises(pydbgwrite.EngineNotFoundError, match="exists on Windows alone") as caught:
        rollout.process_server("tcp:server=x,port=1,password=open-sesame", program="shop.exe")
    assert "rollout.process_server()" in str(caught.value)
    assert "open-sesame" not in str(caught.value)


def test_the_choice_of_another_machine(state_folder: Path, tmp_path: Path) -> None:
    patch, chosen = Patch([PatchEntry(0x10000, [1])]), Choice("shop", server="tcp:server=x,port=1")
    with pytest.raises(RolloutError, match=r"can't be reached: .* exists on Windows alone"):
        rollout.apply(patch, chosen, ledger=tmp_path / "ledger")
    assert list((tmp_path / "ledger").iterdir()) == []
