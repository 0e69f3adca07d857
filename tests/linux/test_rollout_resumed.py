"""What a rollout finds out after something died, and what it must not take for the truth."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

from support.commands import command
from support.fleet import Fleet, compile_fleet, kill, of, patch_of
from support.limits import limited
from support.processes import LiveChild

import pydbgwrite
from pydbgwrite import JournalError, RolloutError, rollout
from pydbgwrite._journal import linux_process
from pydbgwrite._state_folder import StateFolder
from pydbgwrite._version import __version__
from pydbgwrite.rollout.host import machine_key
from pydbgwrite.rollout.worker import run

COUNT = 4
#: Has a table as the children of a fleet have, and starts itself again when it hears a line.
_AGAIN = """
import ctypes, os, sys
table = (ctypes.c_uint64 * 64)(*range(64))
print(ctypes.addressof(table), flush=True)
os.read(0, 1)
os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
"""
Outcomes = Sequence[rollout.Outcome]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file."""
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"resumed{os.getpid()}")


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield four processes, and a state folder of the test's own."""
    with Fleet(program, COUNT) as started:
        yield started


def killed(work: Callable[[], object]) -> None:
    """Do work in a forked child, which ends on the way as if it was killed: code 9."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


def end(*_: object) -> bool:
    """End this process at once."""
    os._exit(9)


class Again(LiveChild):
    """A process that can start its program again."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-I", "-c", _AGAIN])
        self.table = int(self._hear_line())

    def start_again(self) -> None:
        """Return when it has made its execve."""
        self._say(b"!")
        self._hear_line()


class InTurn(Executor):
    """Does tasks at once. before: called before the task of that number. around: does the work."""

    def __init__(
        self,
        before: dict[int, Callable[[], object]] | None = None,
        around: Callable[[Callable[[], str]], str] = lambda work: work(),
    ) -> None:
        self._before = before or {}
        self._around = around
        self._submitted = 0

    def submit(self, fn: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Do a task."""
        self._before.get(self._submitted, lambda: None)()
        self._submitted += 1
        future: Future[Any] = Future()
        try:
            future.set_result(self._around(lambda: fn(*args)))
        except Exception as error:
            future.set_exception(error)
        return future


def cut_off() -> None:
    """End a task as one whose answer comes to nobody."""
    raise ConnectionError("the host is cut off")


def then(do: Callable[[], object]) -> Callable[[Callable[[], str]], str]:
    """Return what does work, and calls a function before it answers, unless it is a look."""

    def around(work: Callable[[], str]) -> str:
        said = work()
        if isinstance(json.loads(said), list):
            do()
        return said

    return around


lost = then(cut_off)


def task(kind: str, id_: str, **more: object) -> Any:
    """Do a task here, as a worker does it."""
    head = {"task": kind, "version": __version__, "rollout": id_, "coordinator": ["", 0]}
    return json.loads(run(json.dumps({**head, "key": machine_key(), **more})))


# ---- stages ----------------------------------------------------------------------------------


def test_killed_in_the_check_of_the_canary(fleet: Fleet, tmp_path: Path) -> None:
    """The check comes before anything else is patched."""
    patch, ledger = patch_of(fleet.table), tmp_path / "a"
    killed(lambda: rollout.apply(patch, of(fleet), ledger=ledger, batch=2, check=end))
    seen: list[tuple[int, int]] = []

    def check(outcomes: Outcomes) -> bool:
        held = [fleet.held(number) for number in range(COUNT)]
        seen.append((len(outcomes), held.count("new")))
        return len(seen) < 2

    report = rollout.resume(ledger, check=check)
    assert seen == [(1, 1), (2, 3)]
    assert report.ended and report.undone and fleet.all_held() == {"old"}


def test_killed_before_the_canary_is_written(fleet: Fleet, tmp_path: Path) -> None:
    """It is the canary that is patched first then, too."""
    patch, ledger = patch_of(fleet.table), tmp_path / "a"
    killed(lambda: rollout.apply(patch, of(fleet), InTurn(before={1: end}), ledger=ledger))
    assert rollout.status(ledger).counts == {"unknown": 1, "not begun": COUNT - 1}
    said = command("rollout", "status", ledger)
    assert f"what 1 of {COUNT} processes hold is unknown; it has not ended" in said.err
    batches: list[int] = []
    killed_again = rollout.resume(
        ledger, progress=lambda done, _total, _outcome: batches.append(done)
    )
    assert killed_again.counts == {"applied": COUNT}
    assert batches == [1, 2, 3, 4]


def test_killed_before_it_has_chosen(fleet: Fleet, tmp_path: Path) -> None:
    """It chooses when it is resumed."""
    patch, ledger = patch_of(fleet.table), tmp_path / "a"
    killed(lambda: rollout.apply(patch, of(fleet), InTurn(before={0: end}), ledger=ledger))
    assert rollout.status(ledger).counts == {}
    assert rollout.resume(ledger).counts == {"applied": COUNT}
    assert fleet.all_held() == {"new"}


def test_killed_and_then_its_machine_was_restarted(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had written to one process, which its journal says; to the others it had not."""
    ledger = tmp_path / "a"
    executor = InTurn(around=then(end))
    killed(lambda: rollout.apply(patch_of(fleet.table), of(fleet), executor, ledger=ledger))
    later = {**linux_process.machine(), "boot": "of another day"}
    monkeypatch.setattr("pydbgwrite.rollout.host.machine", lambda: later)
    report = rollout.resume(ledger)
    assert report.ok and report.counts == {"ended before": COUNT - 1, "ended during": 1}
    assert report.outcomes[0].state == "ended during"
    assert {each.detail for each in report.outcomes} == {"its machine was restarted"}


def test_killed_when_too_many_have_failed(fleet: Fleet, tmp_path: Path) -> None:
    with pydbgwrite.attach(fleet.pids[0]) as session:
        session.write_pointers(fleet.table, [77])
    patch, ledger = patch_of(fleet.table), tmp_path / "a"
    killed(lambda: rollout.apply(patch, of(fleet), ledger=ledger, progress=end))
    assert rollout.status(ledger).counts == {"refused": 1, "not begun": COUNT - 1}
    shown: list[str] = []
    report = rollout.resume(ledger, progress=lambda _d, _t, outcome: shown.append(outcome.state))
    assert report.counts == {"refused": 1, "not begun": COUNT - 1}
    assert "1 failure, and at most 0 are allowed" in report.stopped
    assert "applied" not in shown


def test_a_part_of_a_failure_is_none(fleet: Fleet, tmp_path: Path) -> None:
    """1 % of four processes allows no failure."""
    with pydbgwrite.attach(fleet.pids[0]) as session:
        session.write_pointers(fleet.table, [77])
    report = rollout.apply(
        patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", max_failures="1%"
    )
    assert report.undone and report.counts["refused"] == 1


def test_the_progress_of_an_undo(fleet: Fleet, tmp_path: Path) -> None:
    rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a")
    seen: list[tuple[int, int, str]] = []
    rollout.undo(
        tmp_path / "a", progress=lambda done, total, o: seen.append((done, total, o.state))
    )
    assert seen == [(number, COUNT, "undone") for number in range(1, COUNT + 1)]


def test_a_progress_that_fails(fleet: Fleet, tmp_path: Path) -> None:
    """It is not called again, so that what was applied can be undone."""

    def progress(done: int, *_: object) -> None:
        if done == COUNT:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", progress=progress)
    assert fleet.all_held() == {"old"}
    (note,) = caught.value.__notes__
    assert note.startswith(f"The rollout was undone: {COUNT} processes: {COUNT} undone")


# ---- what the machines have ------------------------------------------------------------------


def test_another_state_folder(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the journals are not, nobody knows what holds."""
    ledger = tmp_path / "a"
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=ledger).ok
    with monkeypatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        (tmp_path / "other").mkdir(mode=0o700)
        for _ in range(2):
            report = rollout.undo(ledger)
            assert not report.ended and report.counts == {"unknown": COUNT}
            assert "XDG_STATE_HOME" in report.outcomes[0].detail
    assert fleet.all_held() == {"new"}
    assert rollout.undo(ledger).counts == {"undone": COUNT}
    assert fleet.all_held() == {"old"}


def test_one_that_has_ended_and_another_state_folder(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger knows that it held the patch."""
    ledger = tmp_path / "a"
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=ledger).ok
    kill(fleet.pids[0])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    (tmp_path / "other").mkdir(mode=0o700)
    assert rollout.undo(ledger).counts == {"ended during": 1, "unknown": COUNT - 1}


def test_a_resume_in_another_state_folder(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not say that a process held the patch before: this rollout may have written it."""
    ledger = tmp_path / "a"
    rollout.apply(patch_of(fleet.table), of(fleet), InTurn(around=lost), ledger=ledger, keep=True)
    with monkeypatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        (tmp_path / "other").mkdir(mode=0o700)
        report = rollout.resume(ledger)
        assert not report.ended and report.counts == {"unknown": 1, "not begun": COUNT - 1}
        assert "XDG_STATE_HOME" in report.outcomes[0].detail
    assert rollout.undo(ledger).counts == {"undone": 1, "not begun": COUNT - 1}
    assert fleet.all_held() == {"old"}


def test_a_journal_without_a_record(fleet: Fleet, tmp_path: Path) -> None:
    """Its attempt wrote nothing, and so there is nothing to undo."""
    ledger, patch = tmp_path / "a", patch_of(fleet.table)
    assert rollout.apply(patch, of(fleet), ledger=tmp_path / "before").ok
    rollout.apply(patch, of(fleet), InTurn(around=lost), ledger=ledger, keep=True)
    assert rollout.undo(ledger).counts == {"not begun": COUNT}
    assert fleet.all_held() == {"new"}


def test_a_resume_after_the_last_look(program: Path, fleet: Fleet, tmp_path: Path) -> None:
    """One that could not give up its processes looks for no more, and stays applied."""

    def refuse(work: Callable[[], str]) -> str:
        said = work()
        if said == "null":  # the processes are given up, and nobody hears of it
            raise ConnectionError("the host is cut off")
        return said

    ledger, chosen = tmp_path / "a", rollout.processes(program=str(program))
    report = rollout.apply(
        patch_of(fleet.table), chosen, InTurn(around=refuse), ledger=ledger, until_stable=True
    )
    assert not report.ended and report.stable
    with Fleet(program, 1):
        again = rollout.resume(ledger)
    assert again.ended and again.ok and not again.undone
    assert fleet.all_held() == {"new"}


def test_a_build_that_could_not_be_read_at_the_look(fleet: Fleet, tmp_path: Path) -> None:
    """A process that is traced then has no build id, and is judged when it is opened."""
    chosen = rollout.processes(pids=fleet.pids[:1], build_id="ab" * 20)
    with ExitStack() as stack:
        stack.enter_context(pydbgwrite.attach(fleet.pids[0]))
        executor = InTurn(before={1: stack.close})  # the first task is the look
        report = rollout.apply(patch_of(fleet.table), chosen, executor, ledger=tmp_path / "a")
    assert report.counts == {"refused": 1} and "its build id is " in report.outcomes[0].detail
    assert fleet.held(0) == "old"


def test_a_journal_that_is_gone(fleet: Fleet, tmp_path: Path) -> None:
    ledger = tmp_path / "a"
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=ledger).ok
    with StateFolder("rollouts", create=False) as folder:
        (journal,) = (name for name in folder.names() if f"-{fleet.pids[2]}-" in name)
        folder.remove(journal)
    report = rollout.undo(ledger)
    assert not report.ended and report.counts == {"undone": COUNT - 1, "applied": 1}
    assert "has no journal of it" in report.outcomes[2].detail
    assert [fleet.held(number) for number in range(COUNT)] == ["old", "old", "new", "old"]


def test_a_full_disk_at_the_undo(fleet: Fleet, tmp_path: Path) -> None:
    """The ledger does not have the undo; the machine has it, and a resume asks."""
    file = tmp_path / "a" / "rollout.ledger"
    with ExitStack() as stack:

        def check(_outcomes: Outcomes) -> bool:
            stack.enter_context(limited(file.stat().st_size + 10))
            return True

        with pytest.raises(JournalError, match="can't be written"):
            rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a", check=check)
    assert fleet.all_held() == {"old"}
    report = rollout.resume(tmp_path / "a", check=lambda _: True)
    assert report.ended and report.counts == {"undone": 1, "not begun": COUNT - 1}
    assert fleet.all_held() == {"old"}


def test_a_full_disk_when_a_batch_is_done(fleet: Fleet, tmp_path: Path) -> None:
    """What the ledger does not have of it is undone, too."""
    file = tmp_path / "a" / "rollout.ledger"
    with ExitStack() as stack:
        fill = then(lambda: stack.enter_context(limited(file.stat().st_size + 10)))
        with pytest.raises(JournalError, match="can't be written") as caught:
            rollout.apply(
                patch_of(fleet.table), of(fleet), InTurn(around=fill), ledger=tmp_path / "a"
            )
    assert "The rollout was undone" in caught.value.__notes__[0]
    assert fleet.all_held() == {"old"}
    assert rollout.status(tmp_path / "a").counts == {"unknown": 1, "not begun": COUNT - 1}


def test_a_machine_that_is_not_asked(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a rollout on two machines, one cannot give up what the other has."""
    here = linux_process.machine()
    ledger = tmp_path / "a"

    def there(work: Callable[[], Any]) -> Any:
        with monkeypatch.context() as patched:
            other = {**here, "machine": "x" * 64, "boot": "of another"}
            patched.setattr("pydbgwrite.rollout.host.machine", lambda: other)
            return work()

    executors = {"one": InTurn(), "two": InTurn(around=there)}
    report = rollout.apply(patch_of(fleet.table), of(fleet), executors, ledger=ledger)
    assert report.counts == {"applied": COUNT, "already applied": COUNT}
    alone = rollout.undo(ledger)
    assert not alone.ended
    assert rollout.undo(ledger, executors).ended and fleet.all_held() == {"old"}


def test_an_answer_of_unknown_words(fleet: Fleet, tmp_path: Path) -> None:
    """A worker that says what no state is has not said what holds."""

    def odd(work: Callable[[], str]) -> str:
        said = json.loads(work())
        return json.dumps([["fine", ""] for _ in said] if isinstance(said, list) else said)

    ledger = tmp_path / "a"
    report = rollout.apply(patch_of(fleet.table), of(fleet), InTurn(around=odd), ledger=ledger)
    assert not report.ended and set(report.counts) == {"unknown", "not begun"}
    assert "answer has no outcomes: [['fine', '']]" in str(report.outcomes[0].detail)
    assert rollout.undo(ledger).counts == {"undone": 1, "not begun": COUNT - 1}
    assert fleet.all_held() == {"old"}


def test_no_access_to_what_was_written(fleet: Fleet, tmp_path: Path) -> None:
    """A lost answer, and then another tracer: it is not said that nothing was written."""
    ledger, patch = tmp_path / "a", patch_of(fleet.table)
    rollout.apply(patch, of(fleet), InTurn(around=lost), ledger=ledger, keep=True)
    with pydbgwrite.attach(fleet.pids[0]):
        report = rollout.resume(ledger)
        assert report.counts == {"unknown": 1, "not begun": COUNT - 1}
        assert report.outcomes[0].detail.startswith("this rollout has written to it, and now: ")
    assert rollout.resume(ledger).counts == {"applied": COUNT}
    assert fleet.all_held() == {"new"}


def test_a_program_that_starts_again(state_folder: Path, tmp_path: Path) -> None:
    """Its journal says what another memory held, so that nothing is left to undo."""
    with Again() as child:
        chosen, patch = rollout.processes(pids=[child.pid]), patch_of(child.table)
        assert rollout.apply(patch, chosen, ledger=tmp_path / "a").ok
        child.start_again()
        report = rollout.undo(tmp_path / "a")
        assert report.ended and report.counts == {"ended during": 1}
        assert "started its program again" in report.outcomes[0].detail


def test_a_program_that_starts_again_before_a_resume(state_folder: Path, tmp_path: Path) -> None:
    """It does not hold what the journal says."""
    with Again() as child:
        chosen, patch = rollout.processes(pids=[child.pid]), patch_of(child.table)
        rollout.apply(patch, chosen, InTurn(around=lost), ledger=tmp_path / "a", keep=True)
        child.start_again()
        assert "applied" not in rollout.resume(tmp_path / "a").counts


def test_an_undo_by_force(fleet: Fleet, tmp_path: Path) -> None:
    """What others have written stays, until it is said that it need not."""
    ledger = tmp_path / "a"
    assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=ledger).ok
    with pydbgwrite.attach(fleet.pids[1]) as session:
        session.write_pointers(fleet.table, [77])
    report = rollout.undo(ledger)
    assert not report.ended and report.counts == {"undone": COUNT - 1, "partly written": 1}
    assert "1 conflict (not changed" in report.outcomes[1].detail
    assert fleet.held(1) == "mixed"
    report = rollout.undo(ledger, force=True)
    assert report.ended and report.counts == {"undone": COUNT}
    assert fleet.all_held() == {"old"}


# ---- two rollouts ----------------------------------------------------------------------------


def test_claims_outlive_the_first_process(program: Path, fleet: Fleet, tmp_path: Path) -> None:
    """A rollout keeps what it claims while any of its processes lives."""
    patch = patch_of(fleet.table)
    killed(lambda: rollout.apply(patch, of(fleet), ledger=tmp_path / "a", check=end))
    canary, *others = sorted(fleet.pids)
    os.kill(canary, signal.SIGKILL)
    with Fleet(program, 1) as other:  # its rollout tidies up
        assert rollout.apply(patch_of(other.table), of(other), ledger=tmp_path / "b").ok
    with pytest.raises(RolloutError, match="has not ended, and 3 of these processes are its own"):
        rollout.apply(patch, rollout.processes(pids=others), ledger=tmp_path / "c")
    assert rollout.undo(tmp_path / "a").counts == {"ended during": 1, "not begun": COUNT - 1}
    assert rollout.apply(patch, rollout.processes(pids=others), ledger=tmp_path / "c").ok


def test_an_undo_during_another_rollout(fleet: Fleet, tmp_path: Path) -> None:
    """A rollout that has ended has given up its processes: it undoes them when they are free."""
    patch, first = patch_of(fleet.table), tmp_path / "a"
    assert rollout.apply(patch, of(fleet), ledger=first).ok

    def check(_outcomes: Outcomes) -> bool:
        for go_on in (rollout.undo, rollout.undo, rollout.resume):  # it is refused again, too
            report = go_on(first)
            assert not report.ended and report.counts == {"applied": COUNT}
            assert "another rollout, " in report.outcomes[0].detail
        return True

    second = rollout.apply(patch, of(fleet), ledger=tmp_path / "b", canary=0, batch=9, check=check)
    assert second.counts == {"already applied": COUNT} and fleet.all_held() == {"new"}
    assert rollout.undo(first).counts == {"undone": COUNT}
    assert fleet.all_held() == {"old"}


def test_a_look_that_comes_late(fleet: Fleet, state_folder: Path) -> None:
    """It claims nothing for a rollout that is over."""
    id_ = "0" * 31 + "1"
    look = {"choice": [None, None, None, None, fleet.pids], "claim": True, "ledger": "x"}
    task("release", id_, journals=True)
    with pytest.raises(RolloutError, match="is over: nothing was written"):
        task("look", id_, known=[], **look)


def test_a_process_with_the_id_of_a_chosen_one(fleet: Fleet, state_folder: Path) -> None:
    """Process ids choose the processes that have them at the first look."""
    look = {"choice": [None, None, None, None, fleet.pids], "claim": False, "ledger": "x"}
    known = [[pid, "1"] for pid in fleet.pids[1:]]
    found = task("look", "0" * 31 + "2", known=known, **look)["processes"]
    assert [each[0] for each in found] == fleet.pids[:1]


def test_a_claim_whose_maker_was_killed(fleet: Fleet, tmp_path: Path) -> None:
    with StateFolder("rollouts", create=True) as folder:
        name = f"{'a' * 32}-{machine_key()}-0.claim"
        folder.open(name, os.O_RDWR | os.O_CREAT).close()
        assert rollout.apply(patch_of(fleet.table), of(fleet), ledger=tmp_path / "a").ok
        assert name not in folder.names()


# ---- choices ---------------------------------------------------------------------------------


def test_a_relative_path_is_of_this_folder(
    program: Path, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(program.parent)
    chosen = rollout.processes(program=f"./{program.name}")
    monkeypatch.chdir(tmp_path)
    assert set(fleet.pids) < {each.pid for each in chosen.look()}


def test_the_name_of_a_control_group_is_whole(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the id of a container can be cut short."""
    id_ = "0123456789abcdef" * 4
    where = {
        fleet.pids[0]: b"0::/system.slice/mail-backend.service\n",
        fleet.pids[1]: b"0::/system.slice/backend.service\n",
        fleet.pids[2]: b"0::/machine.slice/docker-%b.scope\n" % id_.encode(),
    }

    def read(path: str, *_: object) -> bytes:
        return where.get(int(path.split("/")[2]), b"0::/\n")

    def found(cgroup: str) -> list[int]:
        return [e.pid for e in rollout.processes(pids=fleet.pids, cgroup=cgroup).look()]

    monkeypatch.setattr("pydbgwrite.rollout.choice.read_file", read)
    assert found("backend.service") == fleet.pids[1:2]
    assert found(id_[:12]) == found(id_) == fleet.pids[2:3]
    assert found(id_[:11]) == []


def test_a_user_by_name(fleet: Fleet) -> None:
    for user in ("root", 0) if os.geteuid() == 0 else (os.geteuid(),):
        chosen = rollout.processes(pids=fleet.pids, user=user)
        assert [each.pid for each in chosen.look()] == fleet.pids
    assert not rollout.processes(pids=fleet.pids, user="no such user").look()
