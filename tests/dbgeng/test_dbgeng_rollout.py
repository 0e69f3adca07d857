"""Rollouts with Microsoft's engine, in worker processes: it has one session in a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.commands import command
from support.dbgeng import OWN, needs_engine
from support.shop import COUNT, SIZE, Shop, apply_and_kill, opened, wait, workers_of

from pydbgwrite import Patch, PatchEntry, RolloutError, rollout
from pydbgwrite.rollout import Outcome

pytestmark = needs_engine

NAME = f"shop-{os.getpid()}"
SYNCHRONIZE = 0x00100000


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Yield the processes of this file."""
    made = Shop(tmp_path_factory.mktemp("shop") / f"{NAME}.exe")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def shop(started: Shop, state_folder: Path) -> Shop:
    """Return them with tables of zeros, and a state folder of the test's own."""
    for number in range(COUNT):
        started.put(number, [0] * (SIZE // OWN))
    return started


def patch_file(path: Path, shop: Shop) -> Path:
    """Save the patch of a shop."""
    entries = (
        f"[[write]]\naddress = {each.address}\npointers = {list(each.pointers)}\nexpect = [0]\n"
        for each in shop.entries()
    )
    path.write_text("format = 1\n" + "".join(entries))
    return path


def test_in_stages_by_the_programs_name(shop: Shop, tmp_path: Path) -> None:
    patch, chosen = Patch(shop.entries()), rollout.processes(program=NAME.upper())
    assert [each.pid for each in chosen.look()] == sorted(shop.pids)
    batches: list[int] = []

    def check(outcomes: Sequence[Outcome]) -> bool:
        batches.append(len(outcomes))
        held = [shop.held(number) for number in range(COUNT)]
        return (held.count("new"), held.count("old")) == (sum(batches), COUNT - sum(batches))

    before = workers_of(os.getpid())
    report = rollout.apply(patch, chosen, ledger=tmp_path / "first", batch="50%", check=check)
    assert report.ok and report.ended and report.counts == {"applied": COUNT}, report
    assert batches == [1, 3, 2]
    assert sorted(each.pid for each in report.outcomes) == sorted(shop.pids)
    assert shop.all_held() == {"new"} and shop.all_run()
    assert workers_of(os.getpid()) == before, "its workers have ended"

    # A second rollout applies what is missing.
    shop.put(2, [0] * (SIZE // OWN))
    again = rollout.apply(patch, chosen, ledger=tmp_path / "second")
    assert again.ok and again.counts == {"applied": 1, "already applied": COUNT - 1}
    assert shop.all_held() == {"new"}
    assert rollout.undo(tmp_path / "second").counts == {"undone": 1, "already applied": COUNT - 1}
    assert shop.held(2) == "old"
    undone = rollout.undo(tmp_path / "first")
    # The first rollout's writes to it were replaced, by the zeros that an undo would write.
    assert undone.ended and undone.counts == {"undone": COUNT}
    assert shop.all_held() == {"old"} and shop.all_run()


def test_one_is_refused_and_all_is_undone(shop: Shop, tmp_path: Path) -> None:
    last = shop.pids.index(max(shop.pids))
    shop.put(last, [0, 0, 7])
    chosen = rollout.processes(program=NAME)
    report = rollout.apply(Patch(shop.entries()), chosen, ledger=tmp_path / "a", batch=COUNT)
    assert report.undone and report.ended and not report.ok
    (refused,) = report.failures
    assert (refused.pid, refused.state) == (shop.pids[last], "refused")
    assert "found 0x7" in refused.detail
    assert set(report.counts) <= {"undone", "refused", "not begun"}
    assert report.counts["undone"] >= 1 and sum(report.counts.values()) == COUNT
    assert {shop.held(number) for number in range(COUNT) if number != last} == {"old"}
    assert shop.content(last)[:4] == [0, 0, 7, 0]
    assert shop.all_run()


def test_killed_workers(shop: Shop, tmp_path: Path) -> None:
    """They are killed at their first write: resume finishes what they began, and undo all of it."""
    ledger, report, killed = apply_and_kill(shop, rollout.processes(program=NAME), tmp_path)
    lost = [each for each in report.outcomes if each.state == "unknown"]
    assert lost and set(report.counts) <= {"unknown", "applied"}, report
    for each in lost:
        assert "has ended, with exit code" in each.detail
        assert any(f"process {pid}," in each.detail for pid in killed)

    resumed = rollout.resume(ledger)
    assert resumed.ok and resumed.ended and resumed.counts == {"applied": COUNT}, resumed
    assert shop.all_held() == {"new"}
    undone = rollout.undo(ledger)
    assert undone.ended and undone.counts == {"undone": COUNT}
    assert shop.all_held() == {"old"}
    shop.let_run()
    assert shop.all_run()


# Has no `if __name__ == "__main__"`: workers do not run it.
SCRIPT = """
import os, sys
from pydbgwrite import Patch, rollout

patch, program, ledger = sys.argv[1:]

def say(done, total, outcome):
    print(outcome.state, flush=True)
    if done >= 2:
        sys.stdin.read()

print(os.getpid(), flush=True)
chosen = rollout.processes(program=program)
rollout.apply(Patch.load(patch), chosen, ledger=ledger, batch=2, progress=say)
"""


def test_a_killed_coordinator(shop: Shop, tmp_path: Path) -> None:
    """Its workers end with it; the command of a shell goes on."""
    file, ledger = patch_file(tmp_path / "patch.toml", shop), tmp_path / "ledger"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(file), NAME, str(ledger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, contextlib.ExitStack() as stack:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert [process.stdout.readline().strip() for _ in range(2)] == ["applied"] * 2
        workers = [
            stack.enter_context(opened(each, SYNCHRONIZE)) for each in sorted(workers_of(pid))
        ]
        assert workers
        during = rollout.status(ledger)
        assert during.in_use and not during.ended
        process.kill()
        process.wait()
        assert [wait(each, 30_000) for each in workers] == [0] * len(workers)
    assert {"new", "old"} <= shop.all_held() <= {"new", "old"}

    done = command("rollout", "resume", ledger, "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.said["ok"], done.said["counts"]) == (True, {"applied": COUNT})
    assert shop.all_held() == {"new"}
    assert rollout.undo(ledger).counts == {"undone": COUNT}
    assert shop.all_held() == {"old"} and shop.all_run()


def test_in_a_shell(shop: Shop, tmp_path: Path) -> None:
    file = patch_file(tmp_path / "patch.toml", shop)
    line = ["rollout", "apply", file, "--program", NAME]
    ahead = command(*line, "--dry-run", "--json")
    assert (ahead.code, ahead.said["counts"]) == (0, {"ready": COUNT})
    done = command(*line, "--yes", "--batch", "50%", "--json")
    assert (done.said["ok"], done.said["counts"]) == (True, {"applied": COUNT})
    assert shop.all_held() == {"new"}
    ledger = done.said["ledger"]
    assert (done.code, done.err) == (0, f"pydbgwrite: the ledger of this rollout is {ledger}\n")
    (listed,) = command("rollout", "status", "--json").said["rollouts"]
    assert (listed["ledger"], listed["ended"]) == (ledger, True)
    undone = command("rollout", "undo", ledger)
    assert (undone.code, undone.err) == (0, "")
    assert undone.out.splitlines()[-2].split()[:2] == ["undone", str(COUNT)]
    assert shop.all_held() == {"old"} and shop.all_run()


def test_none_fits(state_folder: Path, tmp_path: Path) -> None:
    """The ledger is removed, so its folder can be used again."""
    patch = Patch([PatchEntry(0x10000, [1])])
    for _ in range(2):
        with pytest.raises(RolloutError, match="no process fits"):
            rollout.apply(
                patch, rollout.processes(program=f"none-{NAME}"), ledger=tmp_path / "ledger"
            )
    assert list((tmp_path / "ledger").iterdir()) == []
