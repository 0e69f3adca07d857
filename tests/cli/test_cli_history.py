"""Journals by default, `undo` without arguments, and `history`."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chance import chance
from support.child import PAGE, RW_PAGES
from support.commands import (
    COMMAND,
    POINTER,
    SAME_EVERYWHERE,
    Done,
    Target,
    command,
    on_terminal,
    process_of_its_own,
    target,
)

import pydbgwrite
from pydbgwrite._journal import kept as kept_journals
from pydbgwrite.cli.spelling import CommandLineSpelling, quoted

__all__ = ["chance"]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
ROOT = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="needs POSIX owners" if sys.platform == "win32" else "needs root: other owners",
)
NOBODY = 65534


@pytest.fixture
def process() -> Iterator[Target]:
    with target() as started:
        yield started


def write(process: Target, *values: object, options: tuple[object, ...] = ()) -> Done:
    done = command("write", "--pid", process.pid, process.rw, *values, *options)
    assert (done.code, done.err) == (0, "")
    return done


def history() -> list[dict[str, object]]:
    done = command("history", "--json")
    assert (done.code, done.err) == (0, "")
    journals: list[dict[str, object]] = done.said["journals"]
    return journals


def patch_of(process: Target, folder: Path, *values: int) -> Path:
    path = folder / "x.toml"
    pydbgwrite.Patch([pydbgwrite.PatchEntry(process.rw, list(values))]).save(path)
    return path


def test_write_and_undo(process: Target, state_folder: Path) -> None:
    done = write(process, "0x77", options=("--json",))
    [journal] = history()
    assert journal["journal"] == done.said["journal"]
    assert Path(done.said["journal"]).parent == state_folder.resolve()
    assert (journal["pid"], journal["state"], journal["process"]) == (
        process.pid,
        "committed",
        "lives",
    )
    assert journal["command"] == (f"pydbgwrite write --pid {process.pid} {process.rw} 0x77 --json")
    undone = command("undo", "--yes", "--json")
    assert (undone.code, undone.err) == (0, "")
    assert (undone.said["complete"], undone.said["restored"]) == (True, POINTER)
    assert process.is_untouched()
    assert [each["state"] for each in history()] == ["undone"]
    again = command("undo", "--yes")
    assert (again.code, again.out) == (2, "")
    assert "pydbgwrite history" in again.err


@SAME_EVERYWHERE
def test_the_last_first(process: Target, state_folder: Path, tmp_path: Path) -> None:
    write(process, 1)
    write(process, 2, 3)
    done = command("apply", "--pid", process.pid, patch_of(process, tmp_path, 4), "--yes")
    assert done.out.endswith("To undo it: pydbgwrite undo 3\n")
    for now in ([2, 3], [1]):
        assert command("undo", "--yes").code == 0
        assert process.pointers(len(now)) == now
    assert command("undo", "--yes").code == 0
    assert process.is_untouched()


@SAME_EVERYWHERE
def test_by_number_and_by_process(process: Target, state_folder: Path) -> None:
    with target() as other:
        write(process, 1)
        write(other, 2)
        write(other, 3)
        assert command("undo", "--pid", process.pid, "--yes").code == 0
        assert process.is_untouched()
        assert command("undo", 3).code == 0
        assert command("undo", "2", "--json").code == 0
        assert other.is_untouched()
        missing = command("undo", "17")
        assert missing.code == 2
        assert "no journal has the number 17" in missing.err
        assert "`pydbgwrite history` lists the numbers" in missing.err
        for digits in ("9" * 20, "9" * 21, "9" * 5000, "\uff11"):
            refused = command("undo", digits)
            assert refused.code == 2
            expected = "no journal has the number" if len(digits) == 20 else "could not be read"
            assert expected in refused.err


@LINUX
def test_by_the_name_of_a_program(process: Target, state_folder: Path) -> None:
    write(process, 1)
    name = Path(f"/proc/{process.pid}/exe").resolve().name
    other = command("undo", "-p", "sleep", "--yes")
    assert other.code == 2
    assert "no write to undo" in other.err
    assert command("undo", "-p", name, "--yes").code == 0
    assert process.is_untouched()


@LINUX
def test_by_the_path_of_a_program(
    process: Target, state_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path names a file, as -p does elsewhere: by any link to it."""
    write(process, 1)
    program = Path(f"/proc/{process.pid}/exe").resolve()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(program)
    (tmp_path / program.name).write_bytes(b"another program of that name")
    assert "no write to undo" in command("undo", "-p", f"./{program.name}", "--yes").err
    assert command("undo", "-p", "./link", "--yes").code == 0
    assert process.is_untouched()


@SAME_EVERYWHERE
def test_without_a_journal(process: Target, state_folder: Path, tmp_path: Path) -> None:
    assert "undo" not in write(process, 1, options=("--no-journal",)).out
    patch, journal = patch_of(process, tmp_path, 4), tmp_path / "x.journal"
    assert command("apply", "--pid", process.pid, patch, "--no-journal", "--yes").code == 0
    assert command("apply", "--pid", process.pid, patch, "--dry-run").code == 0
    write(process, 5, options=("--journal", journal))
    assert not state_folder.exists()
    assert command("history").out == "No journal is kept.\n"
    assert history() == []
    none = command("undo", "--yes")
    assert (none.code, none.out) == (2, "")
    assert str(state_folder.parents[1]) in none.err
    assert command("undo", journal).code == 0
    assert process.pointers(1) == [4]
    both = command("write", "--pid", process.pid, process.rw, 1, "--no-journal", "--journal", "y")
    assert both.code == 2
    there = command("write", "--pid", process.pid, process.rw, 1, "--journal", journal)
    assert there.code == 2
    assert "x.journal" in there.err
    durable = command("apply", "--pid", process.pid, patch, "--yes", "--durable", "--no-journal")
    assert durable.code == 2
    assert process.pointers(1) == [4]


@SAME_EVERYWHERE
def test_nobody_can_be_asked(process: Target, state_folder: Path) -> None:
    write(process, 1)
    for options in ([], ["--json"]):
        done = command("undo", *options)
        assert done.code == 2
        assert "--yes" in done.err
    assert process.pointers(1) == [1]


@LINUX
@pytest.mark.parametrize("answer", [b"y\n", b"n\n", b"\x04", b"\xff\n"])
def test_the_question(process: Target, state_folder: Path, answer: bytes) -> None:
    write(process, 1)
    done = on_terminal("undo", answer=answer, width=300)
    for shown in (f"{process.pid}", sys.executable.rpartition("/")[2][:6], "pydbgwrite write"):
        assert shown in done.out
    if answer == b"y\n":
        assert done.code == 0
        assert process.is_untouched()
    else:
        assert done.code == 130
        assert "nothing was undone" in done.out
        assert process.pointers(1) == [1]


def test_a_process_that_has_ended(process: Target, state_folder: Path) -> None:
    write(process, 1)
    process.kill()
    done = command("undo", "--yes", "--json")
    assert done.code == 3
    assert "has ended" in done.said["error"]["message"]
    assert "No other write" in done.said["error"]["message"]
    assert [each["process"] for each in history()] == ["ended"]
    assert "ended" in command("history").out


@SAME_EVERYWHERE
def test_another_process_has_a_write_to_undo(process: Target, state_folder: Path) -> None:
    """Nothing is undone unasked; the last write that can be undone is named, and how."""
    write(process, 1)
    write(process, 2)
    with target() as other:
        write(other, 3)
    done = command("undo", "--yes")
    assert (done.code, done.out) == (3, "")
    for said in (
        f"(pid {other.pid}), has ended",
        "`pydbgwrite undo 2`",
        f"(pid {process.pid})",
        f"pydbgwrite write --pid {process.pid} {process.rw} 2",
        "-p chooses",
    ):
        assert said in done.err
    assert process.pointers(1) == [2]
    assert command("undo", "2").code == 0
    again = command("undo", "--yes")
    assert "`pydbgwrite undo 1`" in again.err
    assert command("undo", "--yes", "-p", process.pid).code == 0
    assert process.is_untouched()


@SAME_EVERYWHERE
def test_the_words_after_a_write_stay_true(process: Target, state_folder: Path) -> None:
    said = [write(process, value).out.rpartition("pydbgwrite ")[2].split() for value in (1, 2)]
    assert command(*said[1]).code == 0
    assert process.pointers(1) == [1]
    write(process, 1)
    assert command(*said[0], "--force").code == 0
    assert process.is_untouched()


@LINUX
def test_a_process_that_runs_another_program(state_folder: Path) -> None:
    script = "import os; os.read(0, 1); os.execv('/bin/cat', ['cat'])"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        with pydbgwrite.attach(child.pid) as session:
            [place, *_] = [each.base for each in session.modules()]
        done = command("write", "--pid", child.pid, place, 1)
        assert done.code == 0
        child.stdin.write(b"\n.")
        child.stdin.flush()
        assert child.stdout.read(1) == b"."  # cat answers
        for options in ((), (1,)):
            done = command("undo", "--yes", *options)
            assert (done.code, done.out) == (2, "")
            assert "runs another program" in done.err
        assert "runs another program" in command("history").out
        child.kill()


@LINUX
def test_a_failed_write(process: Target, state_folder: Path) -> None:
    """One that was undone is listed as that; one that wrote nothing is not."""
    done = command("write", "--pid", process.pid, process.rw, 1, "--expect", 77)
    assert done.code == 1
    assert history() == []
    done = command("write", "--pid", process.pid, process.end - 8, 1, 2)
    assert done.code in (3, 4)
    assert all(each["state"] == "undone" for each in history())
    assert command("undo", "--yes").code == 2
    assert process.is_untouched()


KILL = """
import os, signal
from pydbgwrite._journal.log import JournalLog
commit = JournalLog.mark
JournalLog.mark = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


@LINUX
def test_a_command_that_was_killed(process: Target, state_folder: Path) -> None:
    done = process_of_its_own("write", "--pid", process.pid, process.rw, *range(5), setup=KILL)
    assert done.code == -signal.SIGKILL
    assert process.pointers(5) == list(range(5))
    assert "open (the command was killed)" in command("history").out
    assert command("undo", "--yes").code == 0
    assert process.is_untouched()


@LINUX
def test_kills_at_random(state_folder: Path, chance: random.Random, profile: str) -> None:
    """Whenever the command is killed, `undo` restores all, or there is nothing to undo."""
    pages = 1024
    with target(pages) as process:
        before = process.read(process.rw, pages * PAGE)
        values = Path(state_folder.parents[1], "x.bin")
        values.write_bytes(b"\x5a" * pages * PAGE)
        line = [*COMMAND, "write", "-p", str(process.pid), str(process.rw), "--from", str(values)]
        begun = time.monotonic()
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        whole = time.monotonic() - begun
        assert command("undo", "--yes").code == 0
        for _ in range(20 if profile == "full" else 2):
            with subprocess.Popen(line, stdout=subprocess.DEVNULL) as running:
                try:
                    running.wait(chance.uniform(0.3, 1) * whole)
                except subprocess.TimeoutExpired:
                    running.kill()
            assert command("undo", "--yes").code in (0, 2)
            assert process.read(process.rw, pages * PAGE) == before


@LINUX
@pytest.mark.parametrize("at", ["lock", "record"])
def test_a_command_that_was_killed_before_it_wrote(
    process: Target, state_folder: Path, at: str
) -> None:
    where = {
        "lock": "pydbgwrite._journal.files.lock = kill",
        "record": "pydbgwrite.Session._set_recorder = lambda _, log, cut: cut and kill()",
    }[at]
    setup = (
        "import os, signal, pydbgwrite._journal.files\n"
        "kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n" + where + "\n"
    )
    write(process, 7)
    done = process_of_its_own("write", "--pid", process.pid, process.rw, 8, setup=setup)
    assert done.code == -signal.SIGKILL
    assert len(history()) == 2
    assert command("undo", "--yes").code == 0
    assert process.is_untouched()


@LINUX
def test_two_commands_at_once(process: Target, state_folder: Path) -> None:
    line = [*COMMAND, "write", "--pid", str(process.pid), "--no-suspend"]
    running = [
        subprocess.Popen([*line, str(process.rw + 8 * each), "1"], stdout=subprocess.DEVNULL)
        for each in range(3)
    ]
    assert [each.wait(60) for each in running] == [0] * 3
    assert len({each["journal"] for each in history()}) == 3
    for _ in range(3):
        assert command("undo", "--yes").code == 0
    assert process.is_untouched()


@LINUX
def test_a_journal_in_use(process: Target, state_folder: Path) -> None:
    with (
        pydbgwrite.attach(process.pid, suspend=False) as session,
        session.transaction(kept_journals.KeptJournals(create=True).new()),
    ):
        session.write_pointers(process.rw, [1])
        assert "in use" in command("history").out
        done = command("undo", "--yes")
        assert (done.code, done.out) == (2, "")
        assert process.pointers(1) == [1]


# ---- a folder that can't be used -----------------------------------------------------------


def refused(process: Target, *said: str) -> None:
    """Assert that a write is refused, and that the message says how to do without a journal."""
    done = command("write", "--pid", process.pid, process.rw, 1, "--json")
    assert done.code == 2
    for each in ("--no-journal", "nothing was written", *said):
        assert each in done.said["error"]["message"]
    assert process.is_untouched()
    write(process, 1, options=("--no-journal",))


@LINUX
def test_a_folder_that_is_a_link(process: Target, state_folder: Path) -> None:
    state_folder.parent.mkdir(0o700)
    state_folder.symlink_to("/tmp")
    refused(process, str(state_folder), "link")
    for words in (["undo", "--yes"], ["history"]):
        done = command(*words)
        assert (done.code, done.out) == (2, "")
        assert "link" in done.err


@LINUX
def test_a_folder_for_everybody(process: Target, state_folder: Path) -> None:
    state_folder.parent.mkdir(0o700)
    state_folder.mkdir()
    state_folder.chmod(0o777)
    refused(process, str(state_folder), "0777", "chmod 700")


@SAME_EVERYWHERE
def test_a_file_in_its_place(process: Target, state_folder: Path) -> None:
    state_folder.parent.write_bytes(b"")
    refused(process, str(state_folder.parent))


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
"""


@LINUX
@pytest.mark.parametrize("room", [0, 10, 1000], ids=["head", "header", "record"])
def test_a_full_disk(process: Target, state_folder: Path, room: int) -> None:
    done = process_of_its_own(
        *("write", "--pid", process.pid, process.rw, *range(200), "--json"),
        setup=FULL.format(room),
    )
    assert done.code == 2
    for said in ("--no-journal", "written", "File too large"):
        assert said in done.said["error"]["message"]
    assert process.is_untouched()
    assert history() == []


@LINUX
def test_the_cap(process: Target, state_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_journals, "MOST", 1)
    write(process, 1)
    done = command("write", "--pid", process.pid, process.rw, 2)
    assert (done.code, done.out) == (2, "")
    for said in ("--no-journal", "pydbgwrite history", "at most 1"):
        assert said in done.err
    assert command("undo", "--yes").code == 0
    write(process, 3)
    assert len(history()) == 1


@LINUX
def test_a_journal_of_a_newer_version_is_kept(
    process: Target, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That version may be able to undo it, so no new journal takes its place."""
    write(process, 1)
    [journal] = [each for each in state_folder.iterdir() if each.suffix == ".journal"]
    data = journal.read_bytes()
    head = data[:8] + struct.pack("<I", 9)
    journal.write_bytes(head + struct.pack("<I", zlib.crc32(head)) + data[16:])
    monkeypatch.setattr(kept_journals, "MOST", 1)
    done = command("write", "--pid", process.pid, process.rw, 2)
    assert (done.code, done.out) == (2, "")
    assert "at most 1" in done.err
    assert "newer" in command("history").out
    assert process.pointers(1) == [1]


# ---- what others may have made ---------------------------------------------------------------


@LINUX
@pytest.mark.parametrize("how", ["link", "hard link", "mode"])
def test_a_planted_journal(process: Target, state_folder: Path, tmp_path: Path, how: str) -> None:
    """A journal that another user may have made is not undone, and no older one in its place."""
    write(process, 1)
    [journal] = state_folder.iterdir()
    planted = state_folder / "2-00000000.journal"
    copy = tmp_path / "copy"
    copy.write_bytes(journal.read_bytes())
    copy.chmod(0o600)
    if how == "link":
        planted.symlink_to(copy)
    elif how == "hard link":
        planted.hardlink_to(copy)
    else:
        copy.rename(planted)
        planted.chmod(0o622)
    for words in (["undo", "--yes"], ["undo", "2"]):
        done = command(*words)
        assert (done.code, done.out) == (2, "")
        assert planted.name in done.err
    assert process.pointers(1) == [1]
    assert "another user" in command("history").out
    assert command("undo", "1").code == 0
    assert process.is_untouched()


@ROOT
def test_a_planted_journal_of_another_user(process: Target, state_folder: Path) -> None:
    write(process, 1)
    [journal] = state_folder.iterdir()
    os.chown(journal, NOBODY, NOBODY)
    done = command("undo", "--yes")
    assert (done.code, done.out) == (2, "")
    assert "65534" in done.err
    assert process.pointers(1) == [1]


@ROOT
def test_the_environment_of_a_user(process: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `sudo -E`, root takes no journal from the user's folder, and makes none there."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        home, own = Path(name, "home"), Path(name, "own")
        home.mkdir()
        own.mkdir(0o700)
        monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local/state"))
        write(process, 1)  # as the user's command would
        for each in (home, *home.rglob("*")):
            os.chown(each, NOBODY, NOBODY)
        before = sorted(home.rglob("*"))
        monkeypatch.setenv("HOME", str(own))
        done = command("undo", "--yes")
        assert (done.code, done.out) == (2, "")
        assert process.pointers(1) == [1]
        write(process, 2)
        assert command("undo", "--yes").code == 0
        assert process.pointers(1) == [1]
        assert len([*own.rglob("*.journal")]) == 1
        assert sorted(home.rglob("*")) == before


# ---- what is shown ----------------------------------------------------------------------------


@LINUX
def test_hostile_words(process: Target, state_folder: Path, tmp_path: Path) -> None:
    note = "\x1b]0;x\x07\n[red]\u202e\udc80"
    done = command("write", "--pid", process.pid, process.rw, 1, "--verify", "--truncate")
    assert done.code == 0
    expected = tmp_path / f"{note}.bin"
    expected.write_bytes((1).to_bytes(8, "little"))
    write(process, 2, options=("--expect-from", expected))
    for shown in (command("history").out, on_terminal("history", width=400).out):
        for each in ("\x1b]", "\x07", "\u202e", "\udc80"):
            assert each not in shown
        assert r"/\033]0;x\007\012[red]\342\200\256\200.bin'" in shown
    assert quoted(str(expected)) in str(history()[-1]["command"])


@SAME_EVERYWHERE
def test_long_lines_and_secrets() -> None:
    line = CommandLineSpelling(["write", *map(str, range(10_000))]).command_line()
    assert line is not None
    assert len(line) < 1100
    words = ["--kernel", "net:port=5,key=1.2.3.4", "--connect", "tcp:server=a,Password=x y"]
    line = CommandLineSpelling(words).command_line()
    assert line is not None
    assert "1.2.3.4" not in line
    assert "net:port=5,key=..." in line
    assert "Password=..." in line
    assert "x y" not in line


@SAME_EVERYWHERE
def test_the_table(process: Target, state_folder: Path) -> None:
    for value in range(3):
        write(process, value)
    rows = command("history").out.splitlines()
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert all(f"{process.pid} " in row for row in rows)


@LINUX
def test_what_an_undo_has_left(process: Target, state_folder: Path) -> None:
    """An undo that met conflicts can go on; one that Python made is done."""
    write(process, 1, 2)
    with pydbgwrite.attach(process.pid) as session:
        session.write_pointers(process.rw + 8, [3])
    assert command("undo", "--yes").code == 5
    assert "not all undone" in command("history").out
    [journal] = [each for each in state_folder.iterdir() if each.suffix == ".journal"]
    with pydbgwrite.attach(process.pid) as session:
        assert pydbgwrite.undo(journal, session, force=True).complete
    (row,) = command("history").out.splitlines()
    assert "undone" in row and "not all" not in row
    assert process.is_untouched()


@LINUX
def test_size_is_reckoned(process: Target, state_folder: Path) -> None:
    """What a write is said to need before is at least what its journal has."""
    count = RW_PAGES * PAGE // 8
    values = Path(state_folder.parents[1], "x.bin")
    values.write_bytes(b"\1" * 8 * count)
    write(process, options=("--from", values))
    [journal] = state_folder.iterdir()
    assert journal.stat().st_size < 24 * count + (64 << 10)
    assert json.loads(command("history", "--json").out)["journals"][0]["bytes"] == 8 * count
