"""Rollouts over the processes behind a process server: its machine is this one here."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.dbgeng import OWN, end, free_port, needs_engine, process_server, start, target
from support.shop import COUNT, SIZE, Shop, apply_and_kill

import pydbgwrite
from pydbgwrite import Patch, PatchEntry, RolloutError, rollout
from pydbgwrite.rollout import Outcome
from pydbgwrite.rollout.there import There

pytestmark = needs_engine

NAME = f"far-shop-{os.getpid()}"
PASSWORD = "open-sesame"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Yield the processes of this file."""
    made = Shop(tmp_path_factory.mktemp("shop") / f"{NAME}.exe")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield the process server of this file, which has a password, and the options for it."""
    with process_server(PASSWORD) as made:
        yield made


@pytest.fixture
def shop(started: Shop, state_folder: Path) -> Shop:
    """Return them with tables of zeros, and a state folder of the test's own."""
    for number in range(COUNT):
        started.put(number, [0] * (SIZE // OWN))
    return started


@pytest.fixture
def server(machine: tuple[subprocess.Popen[str], str]) -> str:
    """Return the options of the process server."""
    return machine[1]


def nothing_has(secret: str, *folders: Path) -> bool:
    """Return whether no file of these folders has a text, as bytes or as UTF-16."""
    files = [each for folder in folders for each in folder.rglob("*") if each.is_file()]
    assert files
    needles = secret.encode(), secret.encode("utf-16-le")
    return not any(needle in each.read_bytes() for each in files for needle in needles)


def test_what_a_choice_finds(shop: Shop, server: str) -> None:
    chosen = rollout.process_server(server, program=NAME.upper())
    assert PASSWORD not in f"{chosen!r} {chosen}" and PASSWORD not in chosen
    found = chosen.look()
    assert [each.pid for each in found] == sorted(shop.pids)
    assert {(each.program, each.problem) for each in found} == {(f"{NAME}.exe", "")}
    assert all(each.started.isdecimal() for each in found)
    assert len({each.started for each in found}) == COUNT
    assert chosen.look() == found, "it stays what it is"
    assert shop.all_run()

    gone, mine = 4 * 10**6, os.getpid()
    named = rollout.process_server(server, pids=[gone, mine, shop.pids[0]]).look()
    assert [(each.pid, bool(each.started)) for each in named] == [
        (each, each == shop.pids[0]) for each in sorted((gone, mine, shop.pids[0]))
    ]
    problems = {each.pid: each.problem for each in named}
    assert "no such process" in problems[gone] and "this very process" in problems[mine]


def test_in_stages_by_the_programs_name(
    shop: Shop, server: str, tmp_path: Path, state_folder: Path
) -> None:
    patch, chosen = Patch(shop.entries()), rollout.process_server(server, program=f"{NAME}.exe")
    batches: list[int] = []

    def check(outcomes: Sequence[Outcome]) -> bool:
        batches.append(len(outcomes))
        held = [shop.held(number) for number in range(COUNT)]
        return (held.count("new"), held.count("old")) == (sum(batches), COUNT - sum(batches))

    ledger = tmp_path / "first"
    report = rollout.apply(patch, chosen, ledger=ledger, batch="50%", check=check)
    assert report.ok and report.ended and report.counts == {"applied": COUNT}, report
    assert batches == [1, 3, 2]
    assert shop.all_held() == {"new"} and shop.all_run()
    assert {each.host for each in report.outcomes} == {server.partition(",password")[0]}
    assert rollout.status(ledger).counts == {"applied": COUNT}

    # A second rollout applies what is missing.
    shop.put(2, [0] * (SIZE // OWN))
    again = rollout.apply(patch, chosen, ledger=tmp_path / "second")
    assert again.ok and again.counts == {"applied": 1, "already applied": COUNT - 1}
    assert nothing_has(PASSWORD, tmp_path, state_folder)

    with pytest.raises(ValueError, match="has a password, which is not kept: give server="):
        rollout.undo(ledger)
    with pytest.raises(ValueError, match="must be as it was"):
        rollout.undo(ledger, server="tcp:server=elsewhere,port=1,password=open-sesame")
    assert shop.all_held() == {"new"}
    undone = rollout.undo(tmp_path / "second", server=server)
    assert undone.ended and undone.counts == {"undone": 1, "already applied": COUNT - 1}
    undone = rollout.undo(ledger, server=server)
    assert undone.ended and undone.counts == {"undone": COUNT}, undone
    assert shop.all_held() == {"old"} and shop.all_run()
    assert nothing_has(PASSWORD, tmp_path, state_folder)


def test_one_is_refused_and_all_is_undone(shop: Shop, server: str, tmp_path: Path) -> None:
    last = shop.pids.index(max(shop.pids))
    shop.put(last, [0, 0, 7])
    chosen = rollout.process_server(server, pids=shop.pids)
    report = rollout.apply(Patch(shop.entries()), chosen, ledger=tmp_path / "a", batch=COUNT)
    assert report.undone and report.ended and not report.ok
    (refused,) = report.failures
    assert (refused.pid, refused.state) == (shop.pids[last], "refused")
    assert "found 0x7" in refused.detail
    assert report.counts["undone"] >= 1 and sum(report.counts.values()) == COUNT
    assert {shop.held(number) for number in range(COUNT) if number != last} == {"old"}
    assert shop.content(last)[:4] == [0, 0, 7, 0]
    assert shop.all_run()


def test_a_killed_worker(shop: Shop, server: str, tmp_path: Path, state_folder: Path) -> None:
    """It is killed at its first write: resume finishes what it began, and undo all of it."""
    chosen = rollout.process_server(server, program=NAME)
    ledger, report, _ = apply_and_kill(shop, chosen, tmp_path, server)
    assert "unknown" in report.counts and set(report.counts) <= {"unknown", "applied"}, report
    resumed = rollout.resume(ledger, server=server)
    assert resumed.ok and resumed.ended and resumed.counts == {"applied": COUNT}, resumed
    assert shop.all_held() == {"new"}
    undone = rollout.undo(ledger, server=server)
    assert undone.ended and undone.counts == {"undone": COUNT}
    assert shop.all_held() == {"old"}
    assert nothing_has(PASSWORD, tmp_path, state_folder)
    shop.let_run()
    assert shop.all_run()


def test_one_ends_meanwhile(shop: Shop, server: str, tmp_path: Path) -> None:
    first = min(shop.pids)  # the canary
    with contextlib.ExitStack() as stack:
        others = (stack.enter_context(target()) for _ in range(100))
        other = next(each for each in others if each.pid > first)

        def check(outcomes: Sequence[Outcome]) -> bool:
            other.process.kill()
            other.process.wait()
            return True

        report = rollout.apply(
            Patch([PatchEntry(shop.table, [1], expect=[0])]),
            rollout.process_server(server, pids=[first, other.pid]),
            ledger=tmp_path / "a",
            check=check,
        )
    assert report.ok, report
    found = [(each.pid, each.state) for each in report.outcomes]
    assert found == [(first, "applied"), (other.pid, "ended before")]
    assert rollout.undo(tmp_path / "a", server=server).counts == {"undone": 1, "ended before": 1}
    assert shop.all_held() == {"old"}


# Its first thread ends when it is told to, and another one goes on.
FIRST_THREAD_ENDS = """
import ctypes, sys, threading
kernel = ctypes.windll.kernel32
kernel.OpenThread.restype = ctypes.c_void_p
kernel.WaitForSingleObject.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
first = kernel.OpenThread(0x00100000, 0, kernel.GetCurrentThreadId())
told = threading.Event()
def other():
    print("ready", flush=True)
    sys.stdin.readline()
    told.set()
    print(kernel.WaitForSingleObject(first, 30000), flush=True)
    sys.stdin.readline()
threading.Thread(target=other).start()
told.wait()
kernel.ExitThread(0)
"""


def test_nothing_proves_which_process_it_is(state_folder: Path, server: str) -> None:
    process = start(FIRST_THREAD_ENDS)
    assert process.stdin is not None and process.stdout is not None
    there = There(server)
    try:
        assert process.stdout.readline() == "ready\n"
        (found,) = rollout.process_server(server, pids=[process.pid]).look()
        with there.open(found.pid, 10) as session:
            assert there.differs(session, found.pid, found.started) is None
        process.stdin.write("end\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0\n"
        assert not there.ended(found.pid, found.started, found.program)
        with there.open(found.pid, 10) as session:
            differs = there.differs(session, found.pid, found.started)
        assert differs is not None and "its first thread has ended" in differs
        assert there.ended(found.pid, found.started, "another.exe")
    finally:
        there.close()
        end(process)
    assert process.returncode == 0


def test_the_server_ends_and_is_started_again(shop: Shop, tmp_path: Path) -> None:
    port = free_port()

    def check(outcomes: Sequence[Outcome]) -> bool:
        process.kill()
        process.wait()
        return True

    with process_server(PASSWORD, port) as (process, options):
        report = rollout.apply(
            Patch(shop.entries()),
            rollout.process_server(options, program=NAME),
            ledger=tmp_path / "a",
            batch=COUNT,
            check=check,
        )
    assert not report.ended and report.undone, report
    # What the canary holds is known, and nothing says that a process has ended.
    assert set(report.counts) <= {"applied", "unknown", "not begun"} and report.counts["applied"]
    assert PASSWORD not in f"{report} {report.outcomes}"
    with pytest.raises(RolloutError, match="has not ended"), process_server(port=port) as (_, less):
        rollout.apply(
            Patch(shop.entries()),
            rollout.process_server(less, program=NAME),
            ledger=tmp_path / "b",
        )
    with process_server(PASSWORD, port):
        undone = rollout.undo(tmp_path / "a", server=options)
    assert undone.ended and set(undone.counts) <= {"undone", "not begun"}, undone
    assert shop.all_held() == {"old"} and shop.all_run()


def test_no_server_there(state_folder: Path, tmp_path: Path) -> None:
    """The ledger is removed: nothing of the rollout has begun."""
    options = f"tcp:server=127.0.0.1,port={free_port()},password={PASSWORD}"
    chosen = rollout.process_server(options, program=NAME)
    with pytest.raises(RolloutError, match="the process server can't be reached") as caught:
        rollout.apply(Patch([PatchEntry(0x10000, [1])]), chosen, ledger=tmp_path / "ledger")
    assert PASSWORD not in str(caught.value)
    assert list((tmp_path / "ledger").iterdir()) == []
    with pytest.raises(RolloutError, match="can't be reached"):
        chosen.look()


def test_options_that_are_no_text_for_c(state_folder: Path) -> None:
    """The message names them without the password."""
    with pytest.raises(ValueError, match="must be a connection string") as caught:
        rollout.process_server(f"tcp:server=h,password={PASSWORD}\0", program=NAME)
    assert PASSWORD not in str(caught.value)


def test_a_wrong_password(server: str, state_folder: Path, tmp_path: Path) -> None:
    wrong = server.replace(PASSWORD, "guessed")
    with pytest.raises(RolloutError, match="can't be reached") as caught:
        rollout.apply(
            Patch([PatchEntry(0x10000, [1])]),
            rollout.process_server(wrong, program=NAME),
            ledger=tmp_path / "ledger",
        )
    assert "guessed" not in str(caught.value)
    with pytest.raises(pydbgwrite.NoTargetError) as refused:
        pydbgwrite.process_server(wrong)
    assert "guessed" not in str(refused.value)


def test_none_fits(server: str, state_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RolloutError, match="no process fits: program none"):
        rollout.apply(
            Patch([PatchEntry(0x10000, [1])]),
            rollout.process_server(server, program=f"none-{NAME}"),
            ledger=tmp_path / "ledger",
        )
    assert list((tmp_path / "ledger").iterdir()) == []


def test_two_rollouts_over_one_process(shop: Shop, server: str, tmp_path: Path) -> None:
    """The second is refused until the first has ended, if both name the server in the same way."""
    patch, chosen = Patch(shop.entries()), rollout.process_server(server, pids=shop.pids[:2])
    seen: list[str] = []

    def check(outcomes: Sequence[Outcome]) -> bool:
        with pytest.raises(RolloutError, match="has not ended") as caught:
            rollout.apply(patch, chosen, ledger=tmp_path / f"other-{len(seen)}")
        seen.append(str(caught.value))
        return True

    assert rollout.apply(patch, chosen, ledger=tmp_path / "first", check=check).ok
    assert seen and not any(PASSWORD in each for each in seen)
    assert rollout.undo(tmp_path / "first", server=server).ended
