"""pydbgwrite rollout: one patch for all processes of a program, from a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

from support.child import PAGE
from support.commands import Done, command, in_forks, on_terminal, process_of_its_own
from support.fleet import ENTRIES, Fleet, Server, compile_fleet, read_request
from support.processes import Child64

import pydbgwrite
from pydbgwrite import Patch, rollout
from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.rollout.shown import code_of_report
from pydbgwrite.rollout import Outcome, Report
from pydbgwrite.rollout.host import machine_key

COUNT = 6


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file, whose build is no other test's."""
    own = f"-Wl,--build-id=0x{os.urandom(20).hex()}"
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"shop{os.getpid()}", own)


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield processes, and a state folder of the test's own."""
    with Fleet(program, COUNT) as started:
        yield started


@pytest.fixture
def patch(fleet: Fleet, tmp_path: Path) -> Path:
    """Return a file with the patch of a fleet."""
    return patch_file(tmp_path / "patch.toml", fleet)


def patch_file(path: Path, fleet: Fleet | Server, *, first: int = 0) -> Path:
    """Save a patch of every third word of the table; first: what is expected of the first word."""
    entries = [
        f"[[write]]\naddress = {fleet.table + 24 * number}\npointers = [{1000 + number}]\n"
        f"expect = [{3 * number or first}]\n"
        for number in range(ENTRIES)
    ]
    path.write_text('format = 1\nnote = "new <prices>"\n' + "".join(entries))
    return path


def chosen(fleet: Fleet) -> list[object]:
    """Return the options that choose the children of a fleet."""
    return [word for pid in fleet.pids for word in ("-p", pid)]


def applied(fleet: Fleet, patch: Path, ledger: Path, *options: object) -> Done:
    """Run the command without a question, with that ledger."""
    line = ["rollout", "apply", patch, *chosen(fleet), "--yes", "--ledger", ledger]
    return command(*line, *options)


def script(path: Path, text: str) -> Path:
    """Make a program for --check."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def sums(out: str) -> dict[str, int]:
    """Return the table of outcomes, which follows an empty line."""
    lines = out.partition("\n\n")[2].splitlines()
    found = {}
    for line in lines:
        name, _, rest = line.partition("  ")
        number = rest.split()[0] if rest.split() else ""
        if number.isdecimal():
            found[name] = int(number)
    return found


# ---- what is meant, beforehand ---------------------------------------------------------------


def test_a_dry_run(fleet: Fleet, program: Path, patch: Path, state_folder: Path) -> None:
    done = command("rollout", "apply", patch, "--program", program, "--dry-run")
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.partition("\n\n")[0].splitlines()]
    assert [int(row[0]) for row in rows] == sorted([fleet.pid, *fleet.pids])
    build_id = rows[0][3]
    assert len(build_id) == 40
    for row in rows:
        assert row[1] == str(program)
        assert row[3:] == [build_id, "yes", "ready", "10", "of", "10"]
    assert sums(done.out) == {"ready": COUNT + 1, "all": COUNT + 1}
    assert done.out.endswith("Nothing was written.\n")
    assert fleet.all_held() == {"old"}
    assert not state_folder.parent.exists()

    both = command("rollout", "apply", patch, "--build-id", build_id, "--dry-run", "--json")
    assert (both.code, both.said["counts"]) == (0, {"ready": COUNT + 1})
    assert both.said["processes"][0]["build_id"] == build_id


def test_a_dry_run_says_what_speaks_against_it(fleet: Fleet, tmp_path: Path) -> None:
    wrong = patch_file(tmp_path / "wrong.toml", fleet, first=77)
    gone = 2**22 + 1  # more than the kernel gives
    line = ["rollout", "apply", wrong, "-p", fleet.pids[0], "-p", gone, "-p", os.getpid()]
    done = command(*line, "--dry-run", "--json")
    assert done.code == ExitCode.NOT_AS_EXPECTED
    found = {each["pid"]: each for each in done.said["processes"]}
    assert found[fleet.pids[0]]["state"] == "refused"
    assert "0x4d" in found[fleet.pids[0]]["detail"]
    assert found[gone]["state"] == "ended before"
    assert found[os.getpid()]["state"] == "refused"
    assert found[os.getpid()]["problem"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 2, "--program, --build-id, --cgroup and -p"),
        (["--user", "root"], 2, "--program, --build-id, --cgroup and -p"),
        (["--program", "no such", "--yes"], 3, "no process that can be seen here runs"),
        (["--program", "sh", "--user", "no one", "--yes"], 3, "program sh, user no one"),
        (["--program", "", "--yes"], 2, "--program must be"),
        (["-p", "shop", "--yes"], 2, "--program takes the name of a program"),
        (["-p", 0, "--yes"], 2, "'0' is not the id of a process"),
        (["-p", 1, "--canary", "x", "--yes"], 2, "'x' is neither a number of processes nor"),
        (["-p", 1, "--batch", "101%", "--yes"], 2, "--batch"),
        (["-p", 1, "--batch", 0, "--yes"], 2, "it must be at least one process"),
        (["-p", 1, "--pause", "-1", "--yes"], 2, "'--pause'"),
        (["-p", 1, "--check", "/no/such", "--yes"], 2, "'/no/such' is no program"),
        (["-p", 1], 2, "--yes"),
    ],
)
def test_bad_input(fleet: Fleet, patch: Path, options: list[Any], code: int, words: str) -> None:
    line = ["rollout", "apply", patch, *options]
    done = command(*line)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert not (patch.parent / "state" / "pydbgwrite" / "rollouts").exists()


# ---- applied, and undone ---------------------------------------------------------------------


def test_apply_and_undo(fleet: Fleet, patch: Path) -> None:
    done = command("rollout", "apply", patch, *chosen(fleet), "--yes")
    assert done.code == 0
    assert fleet.all_held() == {"new"}
    assert sums(done.out) == {"applied": COUNT, "all": COUNT}
    rows = [line.split() for line in done.out.partition("\n\n")[0].splitlines()]
    assert [(int(row[1]), row[3]) for row in rows] == [(p, "applied") for p in sorted(fleet.pids)]
    # The ledger is in the state folder, and said before anything is written.
    ledger = done.err.removeprefix("pydbgwrite: the ledger of this rollout is ").rstrip()
    assert Path(ledger, "rollout.ledger").is_file()
    last = done.out.splitlines()[-1]
    assert last == f"To undo it: pydbgwrite rollout undo {ledger}"

    again = command("rollout", "apply", patch, *chosen(fleet), "--yes", "--json")
    assert (again.code, again.said["counts"]) == (0, {"already applied": COUNT})

    undo = shlex.split(last.partition(": pydbgwrite ")[2])
    done = command(*undo)
    assert (done.code, done.err) == (0, "")
    assert sums(done.out) == {"undone": COUNT, "all": COUNT}
    assert fleet.all_held() == {"old"}


def test_as_json(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    done = applied(fleet, patch, ledger, "--json", "--batch", "50%")
    assert (done.code, done.err) == (0, "")
    said = done.said
    assert (said["ok"], said["ended"], said["stopped"]) == (True, True, None)
    assert said["processes"] == COUNT == sum(said["counts"].values())
    assert said["ledger"] == str(ledger)
    for name in ("status", "resume"):
        assert command("rollout", name, ledger, "--json").said == said
    undone = command("rollout", "undo", ledger, "--json").said
    assert (undone["undone"], undone["counts"]) == (True, {"undone": COUNT})


def test_the_list(fleet: Fleet, patch: Path, state_folder: Path) -> None:
    """Who has lost the folder's path finds it."""
    assert (
        command("rollout", "status").out
        == "No ledger is kept in your state folder. With --ledger, give the folder of it.\n"
    )
    assert command("rollout", "status", "--json").said == {"folder": None, "rollouts": []}
    line = ["rollout", "apply", patch, *chosen(fleet), "--yes"]
    ledger = command(*line, "--json").said["ledger"]
    folder = state_folder.with_name("ledgers")
    assert Path(ledger).parent == folder
    (folder / "zzz").mkdir(0o700)
    first, second = command("rollout", "status").out.splitlines()
    assert first.split() == [ledger, "ended", str(COUNT), "applied"]
    assert "can't be used" in second and "no rollout has its ledger there" in second
    said = command("rollout", "status", "--json").said
    assert [each["counts"] for each in said["rollouts"]] == [{"applied": COUNT}, {}]
    (folder / "zzz").chmod(0o755)
    assert "0700" in command("rollout", "status").out


def test_no_ledger(tmp_path: Path) -> None:
    for name in ("status", "resume", "undo"):
        done = command("rollout", name, tmp_path / "none", "--json")
        assert done.code == 2
        assert "there is no folder" in done.said["error"]["message"]
    (tmp_path / "open").mkdir(mode=0o755)
    done = command("rollout", "status", tmp_path / "open")
    assert done.code == 2
    assert "0700" in done.err


def test_a_ledger_that_is_there(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    assert applied(fleet, patch, tmp_path / "ledger").code == 0
    done = applied(fleet, patch, tmp_path / "ledger")
    assert (done.code, done.out) == (2, "")
    assert "has the ledger of a rollout already" in done.err


def test_a_ledger_that_cannot_be_made(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = applied(fleet, patch, tmp_path / "file" / "ledger")
    assert done.code == 2
    assert "can't be made" in done.err
    assert fleet.all_held() == {"old"}


def test_ledgers_that_have_no_place(fleet: Fleet, patch: Path, state_folder: Path) -> None:
    """Without --ledger they are in the state folder, which others must not write to."""
    folder = state_folder.parent / "ledgers"
    folder.parent.mkdir(mode=0o700)
    folder.mkdir()
    folder.chmod(0o777)
    line = ["rollout", "apply", patch, *chosen(fleet), "--yes"]
    done = command(*line)
    assert done.code == 2
    assert f"no ledger can be made in {folder}" in done.err and "nothing was written" in done.err
    done = command("rollout", "status")
    assert done.code == 2
    assert f"the ledger in {str(folder)!r} could not be read" in done.err
    assert fleet.all_held() == {"old"}


def test_a_list_of_many_processes(program: Path, state_folder: Path) -> None:
    """A name that many have is no target; twenty of them are shown."""
    with Fleet(program, 24) as many:
        done = command("read", "-p", program.name, hex(many.table), 1)
    assert done.code != 0
    assert "  and 5 more" in done.err


def test_a_patch_with_many_faults(fleet: Fleet, tmp_path: Path) -> None:
    """A hundred are shown."""
    file = tmp_path / "patch.toml"
    file.write_text(
        "format = 1\n"
        + "".join(f"[[write]]\naddress = {8 * at}\npointers = [1]\n" for at in range(130))
    )
    done = command("apply", file, "-p", fleet.pid, "--dry-run")
    assert done.code != 0
    assert "and 30 problems more" in done.err


def test_processes_of_two_machines(
    fleet: Fleet, patch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell reaches those of this machine, and says so."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
        here, keys = machine_key(), {}
        for name, pool in (("one", one), ("two", two)):
            keys[pool.submit(threading.get_ident).result()] = here if name == "one" else "0" * 24
        monkeypatch.setattr(
            "pydbgwrite.rollout.host.machine_key",
            lambda: keys.get(threading.get_ident(), here),
        )
        report = rollout.apply(
            Patch.load(patch),
            rollout.processes(pids=fleet.pids[:1]),
            {"one": one, "two": two},
            ledger=tmp_path / "ledger",
            keep=True,
            max_failures="100%",
        )
        assert {each.host for each in report.outcomes} == {"one", "two"}
    done = command("rollout", "undo", tmp_path / "ledger")
    assert "warning: the rollout has processes on 2 machines" in done.err


def test_what_starts_meanwhile(program: Path, state_folder: Path, tmp_path: Path) -> None:
    """Workers end and start while a server is patched; at the end each holds the patch."""
    with Server(program, 4, tmp_path / "socket", 3) as server:
        patch = patch_file(tmp_path / "patch.toml", server)
        check = script(tmp_path / "check", "sed -n p >/dev/null")
        line = ["rollout", "apply", patch, "--program", program, "--yes", "--until-stable"]
        done = command(*line, "--check", check, "--json")
        assert done.code == 0
        assert (done.said["ok"], done.said["stable"]) == (True, True)
        assert {read_request(server.path) for _ in range(20)} == {"new"}


# ---- failures --------------------------------------------------------------------------------


def test_what_is_refused_stops_it(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    wrong = patch_file(tmp_path / "wrong.toml", fleet, first=77)
    done = applied(fleet, wrong, tmp_path / "ledger")
    assert done.code == ExitCode.NOT_AS_EXPECTED
    assert sums(done.out) == {"refused": 1, "not begun": COUNT - 1, "all": COUNT}
    why = "stopped: 1 failure, and at most 0 are allowed; nothing was written"
    assert done.err.splitlines()[-1] == f"pydbgwrite: {why}"
    assert fleet.all_held() == {"old"}
    # Allowed failures let it go on, and it says that not each process holds the patch.
    done = applied(fleet, wrong, tmp_path / "other", "--max-failures", "100%", "--json")
    assert (done.code, done.said["counts"]) == (ExitCode.NOT_AS_EXPECTED, {"refused": COUNT})
    assert "6 of 6 processes failed" in done.err


def test_a_write_that_fails_on_the_way(state_folder: Path, tmp_path: Path) -> None:
    """What one process gets can't all be written to another, where it is taken back."""
    with Child64(pages=8) as first, Child64() as other:
        start, last = first.areas["rw"], other.areas["shared"]
        assert other.areas["rw"] == start < last < start + 8 * PAGE
        patch = tmp_path / "patch.toml"
        patch.write_text(
            f"format = 2\n[[write]]\naddresses = [{start}, {last}]\npointers = [1, 2]\n"
        )
        before = other.read(start, 8)
        line = ["rollout", "apply", patch, "--yes", "--json", "-p"]
        assert command(*line, first.pid).said["counts"] == {"applied": 1}
        done = command(*line, other.pid)
        assert (done.code, done.said["counts"]) == (ExitCode.UNDONE, {"failed and undone": 1})
        detail = done.said["outcomes"][0]["detail"]
        assert f"the write failed at 0x{last:x}" in detail and "can't be forced" in detail
        assert other.read(start, 8) == before


def test_a_check(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    """It has the outcomes on its standard input, and its exit code decides."""
    check = script(
        tmp_path / "smoke test.sh",
        f'cd {tmp_path}; cat > "seen$(ls seen* 2>/dev/null | wc -l)"; echo talks; test ! -e seen1',
    )
    done = applied(fleet, patch, tmp_path / "ledger", "--check", check, "--batch", 2, "--json")
    assert done.code == ExitCode.UNDONE
    assert done.said["counts"] == {"undone": 3, "not begun": COUNT - 3}
    assert "the check after a batch failed" in done.err
    assert f"{check} ended with exit code 1" in done.err
    assert "all that was applied is undone" in done.err
    assert fleet.all_held() == {"old"}
    first, second = (json.loads((tmp_path / f"seen{at}").read_text()) for at in range(2))
    assert first["counts"] == {"applied": 1, "not begun": COUNT - 1}
    assert second["counts"] == {"applied": 3, "not begun": COUNT - 3}
    assert [each["state"] for each in second["batch"]] == ["applied", "applied"]
    assert first["batch"][0]["pid"] == min(fleet.pids)
    assert first["in_use"] and not done.said["in_use"]


def test_a_check_that_cannot_be_run(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    check = script(tmp_path / "check", "")
    check.write_bytes(b"\x7fnothing that runs")
    done = applied(fleet, patch, tmp_path / "ledger", "--check", check, "--json")
    assert done.code == ExitCode.UNDONE
    assert "could not be run" in done.said["error"]["message"]
    assert done.said["error"]["rollout"]["counts"] == {"undone": 1, "not begun": COUNT - 1}
    assert fleet.all_held() == {"old"}


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_ctrl_c_undoes_it(fleet: Fleet, patch: Path, tmp_path: Path, number: str) -> None:
    check = script(tmp_path / "check", f"kill -{number} $PPID; read -r line")
    done = applied(fleet, patch, tmp_path / "ledger", "--check", check)
    assert done.code == ExitCode.INTERRUPTED
    assert sums(done.out) == {"undone": 1, "not begun": COUNT - 1, "all": COUNT}
    assert "interrupted" in done.err
    assert done.err.endswith("; all that was applied is undone\n")
    assert fleet.all_held() == {"old"}


def test_ctrl_c_with_keep(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    """It says what holds, and which commands go on; one does."""
    ledger = tmp_path / "the ledger"
    check = script(tmp_path / "check", "kill -INT $PPID; read -r line")
    done = applied(fleet, patch, ledger, "--check", check, "--keep", "--json")
    assert done.code == ExitCode.NOT_UNDONE
    assert "by its ledger 1 of 6 processes hold the patch" in done.err
    assert f"pydbgwrite rollout resume '{ledger}'" in done.err
    assert f"pydbgwrite rollout undo '{ledger}'" in done.err
    assert done.said["error"]["rollout"]["ended"] is False

    done = command("rollout", "resume", ledger)
    assert done.code == 2
    assert "give --check to go on" in done.err
    done = command("rollout", "resume", ledger, "--check", "true", "--json")
    assert (done.code, done.said["counts"]) == (0, {"applied": COUNT})
    assert fleet.all_held() == {"new"}


def test_what_is_killed_is_resumed(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    check = script(tmp_path / "check", "kill -KILL $PPID")
    line = ["rollout", "apply", patch, *chosen(fleet), "--yes", "--check", check]
    done = process_of_its_own(*line)
    assert (done.code, done.out) == (-9, "")
    ledger = done.err.removeprefix("pydbgwrite: the ledger of this rollout is ").rstrip()
    done = command("rollout", "status", ledger)
    assert done.code == 0
    assert "it has not ended" in done.err
    assert f"To go on: pydbgwrite rollout resume {ledger}" in done.out
    assert sums(done.out) == {"applied": 1, "not begun": COUNT - 1, "all": COUNT}
    done = command("rollout", "resume", ledger, "--check", "true")
    assert (done.code, sums(done.out)) == (0, {"applied": COUNT, "all": COUNT})
    assert fleet.all_held() == {"new"}


def test_ctrl_c_during_a_resume_and_its_report(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    """A page that can't be written does not hide what holds."""
    ledger = tmp_path / "ledger"
    check = script(tmp_path / "check", "kill -INT $PPID; read -r line")
    assert applied(fleet, patch, ledger, "--check", check, "--keep").code == ExitCode.NOT_UNDONE
    for page in (tmp_path / "page.html", tmp_path):
        done = command("rollout", "resume", ledger, "--check", check, "--report", page)
        assert done.code == ExitCode.NOT_UNDONE
        assert ("could not be written" in done.err) == (page == tmp_path)
        assert "interrupted; by its ledger 1 of 6 processes hold the patch" in done.err
        assert sums(done.out) == {"applied": 1, "not begun": COUNT - 1, "all": COUNT}
    assert "Not ended." in (tmp_path / "page.html").read_text()


def test_ctrl_c_during_an_undo(
    fleet: Fleet, patch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has what held before, and the undo can be run again."""
    ledger, presses, undo = tmp_path / "ledger", ["once"], pydbgwrite.undo
    assert applied(fleet, patch, ledger).code == 0

    def press(*given: Any, **more: Any) -> Any:
        if presses:
            presses.clear()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return undo(*given, **more)

    monkeypatch.setattr("pydbgwrite.rollout.worker.undo", press)
    done = command("rollout", "undo", ledger)
    assert done.code == ExitCode.NOT_UNDONE
    assert "interrupted; by its ledger 6 of 6 processes hold the patch" in done.err
    assert f"To go on with its undo: pydbgwrite rollout undo {ledger}" in done.err
    done = command("rollout", "undo", ledger)
    assert (done.code, sums(done.out)) == (0, {"undone": COUNT, "all": COUNT})
    assert fleet.all_held() == {"old"}


def test_two_rollouts_at_once(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    """The second is refused, and leaves nothing behind."""
    nested = shlex.join(
        [sys.executable, "-P", "-m", "pydbgwrite", "rollout", "apply", str(patch), "--yes"]
        + [f"-p{pid}" for pid in fleet.pids]
    )
    check = script(tmp_path / "check", f"{nested} 2>{tmp_path}/said; test $? = 3")
    done = applied(fleet, patch, tmp_path / "ledger", "--check", check, "--batch", COUNT)
    assert done.code == 0
    said = (tmp_path / "said").read_text()
    assert "another rollout" in said and str(tmp_path / "ledger") in said
    assert list((tmp_path / "state" / "pydbgwrite" / "ledgers").iterdir()) == []


# ---- on a terminal ---------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 130)])
def test_asking(fleet: Fleet, patch: Path, answer: bytes, code: int) -> None:
    line = ["rollout", "apply", patch, *chosen(fleet)]
    done = on_terminal(*line, answer=answer, width=160)
    assert done.code == code
    before, _, after = done.out.partition("Patch 6 of 6 processes, 60 pointers to change? [y/N]")
    assert "ready" in before and "traceable" in before
    assert ("applied" in after) == (code == 0)
    assert fleet.all_held() == {"new" if code == 0 else "old"}
    if code == 0:  # nothing is asked where there is nothing to do
        done = on_terminal(*line, width=160)
        assert done.code == 0
        assert "already applied" in done.out and "Nothing was written." in done.out


def test_progress(
    fleet: Fleet, patch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pydbgwrite.cli.progress._PATIENCE", -1.0)
    monkeypatch.setattr("pydbgwrite.cli.rollout.live._PAUSE", 0.0)
    line = ["rollout", "apply", patch, *chosen(fleet), "--yes", "--ledger", tmp_path / "ledger"]
    done = on_terminal(*line, "--rows", 2, width=160)
    assert done.code == 0
    shown = done.out.partition("machine")[0]
    assert f"applying  {os.uname().nodename}: 1 applied" in shown
    assert f"{COUNT} applied" in shown and f"{COUNT}/{COUNT}" in shown
    assert "... and 4 more: --rows shows more" in done.out


def test_progress_of_what_is_undone(
    fleet: Fleet, patch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process is counted once, by its last outcome; what a check prints has its own line."""
    monkeypatch.setattr("pydbgwrite.cli.progress._PATIENCE", -1.0)
    monkeypatch.setattr("pydbgwrite.cli.rollout.live._PAUSE", 0.0)
    check = script(tmp_path / "check", "echo it fails; exit 1")
    line = ["rollout", "apply", patch, *chosen(fleet), "--yes", "--ledger", tmp_path / "ledger"]
    done = on_terminal(*line, "--canary", 2, "--check", check, width=160)
    assert done.code == ExitCode.UNDONE
    before, _, after = done.out.partition("it fails")
    pictures = re.findall(rf"applying  {os.uname().nodename}: (.*?) \x1b", before)
    assert pictures[-1] == "2 applied" and before.endswith("\x1b[2K"), "the bar is erased"
    pictures = re.findall(rf"applying  {os.uname().nodename}: (.*?) \x1b", after)
    assert set(pictures[-1].split(", ")) == {"2 undone", f"{COUNT - 2} not begun"}


# ---- the report ------------------------------------------------------------------------------


def test_the_report(fleet: Fleet, program: Path, patch: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with pydbgwrite.attach(fleet.pids[0]) as session:
        build = pydbgwrite.BuildCheck.of(session, program.name)
    with patch.open("a") as file:
        file.write(f'[[build]]\nmodule = "{program.name}"\nbuild_id = "{build.build_id}"\n')
    line = ["rollout", "apply", patch, *chosen(fleet), "--report", page]
    assert command(*line, "--dry-run").code == 0
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert "Ready to apply." in text and "this is a preview" in text
    assert "new &#60;prices&#62;" in text
    assert "Made for" in text and f"{program.name}, {build.build_id}" in text
    for pid in fleet.pids:
        assert f"(process {pid})" in text
    assert f"{10 * COUNT} pointers." in text
    assert text.count("0x3e8") >= COUNT

    assert command(*line, "--yes", "--ledger", tmp_path / "ledger").code == 0
    text = page.read_text()
    assert "Applied." in text and "Pointers are shown as they were before it." in text
    assert text.count("\u2713 applied") == COUNT
    assert "preview" not in text

    assert command("rollout", "undo", tmp_path / "ledger", "--report", page).code == 0
    text = page.read_text()
    assert "Undone." in text and "<script" not in text
    assert text.count("\u2713 undone") == COUNT


def test_the_report_of_other_programs(state_folder: Path, tmp_path: Path) -> None:
    """Of many programs it names some, and an address by no name that not all have for it."""
    with ExitStack() as started:
        fleets = []
        for number in range(5):
            place = ("-DPLACED", "-no-pie", "-Wl,--section-start=.placed=0x7a0000")
            program = compile_fleet(tmp_path / f"shop-{number}", *place)
            fleets.append(started.enter_context(Fleet(program, 1)))
        table = fleets[0].table
        file = tmp_path / "patch.toml"
        file.write_text(f"format = 1\n[[write]]\naddress = {table}\npointers = [{table}]\n")
        page = tmp_path / "page.html"
        for some in (fleets[:1], fleets):
            options = [word for each in some for word in ("-p", each.pids[0])]
            done = command("rollout", "apply", file, *options, "--dry-run", "--report", page)
            assert done.code == 0
            text = page.read_text()
            assert f"{len(some)} pointers." in text or "1 pointer." in text
            assert ("shop-0!table" in text) == (len(some) == 1)
            assert ("(1), and 2 more programs" in text) == (len(some) == 5)


def test_a_report_that_cannot_be_written(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    done = applied(fleet, patch, tmp_path / "ledger", "--report", tmp_path)
    assert done.code == 2
    assert "nothing was written to the target" in done.err
    assert fleet.all_held() == {"old"}
    done = applied(fleet, patch, tmp_path / "ledger", "--report", patch)
    assert done.code == 2
    assert applied(fleet, patch, tmp_path / "ledger").code == 0
    done = command("rollout", "undo", tmp_path / "ledger", "--report", tmp_path)
    assert done.code == ExitCode.NO_OUTPUT
    assert fleet.all_held() == {"old"}


# ---- exit codes ------------------------------------------------------------------------------


def report(*states: str, **more: Any) -> Report:
    """Return a report with these states."""
    outcomes = tuple(Outcome("a", number, "", each) for number, each in enumerate(states, 1))
    return Report(id="", folder="", outcomes=outcomes, **more)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report("applied", "already applied", "ended before", "ended during"), 0),
        (report("applied", stable=False), 1),
        (report("applied", "refused"), 1),
        (report("refused", "not begun", stopped="1 failure", undone=True), 1),
        (report("no access", "not begun", stopped="1 failure", undone=True), 3),
        (report("applied", "no access"), 3),
        (report("no access", "refused"), 1),
        (report("undone", "refused", stopped="1 failure", undone=True), 4),
        (report("failed and undone", "applied"), 4),
        (report("undone", undone=True), 0),
        (report("applied", "not begun", stopped="the check after a batch failed"), 1),
        (report("applied", "unknown", ended=False), 5),
        (report("applied", "partly written"), 5),
        (report("applied", "not begun", ended=False), 5),
    ],
)
def test_exit_codes(found: Report, code: int) -> None:
    assert code_of_report(found) == code


def test_exit_codes_of_undo() -> None:
    assert code_of_report(report("undone", "refused", undone=True), undoing=True) == 0
    assert code_of_report(report("partly written", undone=True), undoing=True) == 5
    assert code_of_report(report("undone", "unknown", ended=False), undoing=True) == 5
    assert {*rollout.STATES} >= {"applied", "unknown"}


# ---- output that nobody reads ----------------------------------------------------------------


def test_a_full_disk_hides_no_failure(fleet: Fleet, patch: Path, tmp_path: Path) -> None:
    wrong = patch_file(tmp_path / "wrong.toml", fleet, first=77)
    lines = [
        ["rollout", "apply", file, *chosen(fleet), "--yes", "--report", file.with_suffix(".html")]
        for file in (wrong, patch)
    ]
    (refused, said), (full, also) = in_forks(lines, "COMMAND >/dev/full")
    assert (refused, full) == (ExitCode.NOT_AS_EXPECTED, ExitCode.NO_OUTPUT)
    for text in (said, also):
        assert "the output could not be written: No space left on device" in text
    assert "Stopped." in wrong.with_suffix(".html").read_text()
    assert "Applied." in patch.with_suffix(".html").read_text()
    assert fleet.all_held() == {"new"}
