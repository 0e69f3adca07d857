"""pydbgwrite undo: it restores the target byte for byte, or lists the bytes that differ."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.child import PAGE, RW_PAGES
from support.commands import (
    MOST,
    POINTER,
    SAME_EVERYWHERE,
    Target,
    at_first,
    command,
    on_terminal,
    target,
)

import pydbgwrite
from pydbgwrite.cli.exit_codes import exit_code_of
from pydbgwrite.cli.undoing import after_undo

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
NEW = [MOST // 15 * each for each in range(1, 6)]  # 0x11...11, 0x22...22, ...


def written(process: Target, journal: Path, values: list[int] = NEW, at: int = 0) -> None:
    """Write in a transaction that commits."""
    with pydbgwrite.attach(process.pid) as session, session.transaction(journal):
        session.write_pointers(process.rw + at, values)


def test_undo(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        written(process, journal)
        assert process.pointers(5) == NEW
        done = command("undo", journal)
        assert (done.code, done.err) == (0, "")
        assert process.is_untouched()
        assert "Restored." in done.out
        assert f"{5 * POINTER} bytes" in done.out
        again = command("undo", journal, "--json")
        assert (again.code, again.err) == (0, "")
        assert (again.said["complete"], again.said["restored"]) == (True, 0)
        assert process.is_untouched()


def test_conflicts(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        written(process, journal)
        place, old = process.rw + 2 * POINTER, at_first(3)[2]
        with pydbgwrite.attach(process.pid) as session:
            session.write_pointers(place, [0xABCDEF])
        done = command("undo", journal, "--json")
        assert done.code == 5
        said = done.said
        assert (said["complete"], said["conflict_total"]) == (False, 1)
        assert said["restored"] == 4 * POINTER
        [conflict] = said["conflicts"]
        assert int(conflict["address"], 16) == place
        assert (conflict["found"], conflict["size"]) == ("0xabcdef", POINTER)
        assert (conflict["written"], conflict["old"]) == (hex(NEW[2]), hex(old))
        assert "not everything was undone" in done.err
        assert process.pointers(3)[2] == 0xABCDEF

        text = command("undo", journal)
        assert text.code == 5
        shown = f"before {old:#x}  written {NEW[2]:#x}  found now 0xabcdef\n"
        assert f"conflict at {place:#x}  {shown}" in text.out
        assert "--force" in text.out

        forced = command("undo", journal, "--force")
        assert (forced.code, forced.err) == (0, "")
        assert process.is_untouched()


@SAME_EVERYWHERE
def test_conflicts_of_bytes_are_values(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        with pydbgwrite.attach(process.pid) as session:
            with session.transaction(journal):
                session.write(process.rw, bytes(20))
            session.write(process.rw, b"\1" * 20)
        done = command("undo", journal, "--json")
        assert (done.code, done.said["conflict_total"]) == (5, 3)
        assert [
            (int(each["address"], 16) - process.rw, each["size"], each["written"], each["found"])
            for each in done.said["conflicts"]
        ] == [
            (at, size, "0x0", hex(0x0101010101010101 >> 8 * (8 - size)))
            for at, size in ((0, 8), (8, 8), (16, 4))
        ]
        assert "found now 0x1010101\n" in command("undo", journal).out


@LINUX
def test_on_a_terminal(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        written(process, journal)
        with pydbgwrite.attach(process.pid) as session:
            session.write_pointers(process.rw + 16, [0xABCDEF])
        shown = on_terminal("undo", journal, width=80)
    assert shown.code == 5
    assert "\x1b[31m" in shown.out
    assert "0xabcdef" in shown.out


def test_another_process(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        written(process, journal)
    gone = command("undo", journal)
    assert (gone.code, gone.out) == (3, "")
    if sys.platform == "win32":
        return  # two such targets would need the same addresses
    with target() as other:
        done = command("undo", journal, "--pid", other.pid, "--json")
        assert done.code == 2
        assert done.said["error"]["type"] == "JournalError"
        assert other.is_untouched()


@SAME_EVERYWHERE
@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n" * 100, None])
def test_what_is_no_journal(tmp_path: Path, content: bytes | None) -> None:
    journal = tmp_path / "x.journal"
    if content is not None:
        journal.write_bytes(content)
    done = command("undo", journal, "--json")
    assert done.code == 2
    assert "x.journal" in done.said["error"]["message"]


def test_a_damaged_journal(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        written(process, journal)
        whole = journal.read_bytes()
        journal.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
        done = command("undo", journal)
        assert (done.code, done.out) == (2, "")
        assert process.pointers(5) == NEW


@LINUX
@pytest.mark.parametrize("path", ["/", "/dev/full", "/dev/null", "/proc/self/mem"])
def test_odd_files(path: str) -> None:
    done = command("undo", path)
    assert (done.code, done.out) == (2, "")


def test_a_target_that_the_journal_can_not_name(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with pydbgwrite.simulate([(0x1000, 4096)]) as session, session.transaction(journal):
        session.write_pointers(0x1000, [1])
    done = command("undo", journal)
    assert (done.code, done.out) == (2, "")
    assert "-p" in done.err


KILLED = """
import sys, pydbgwrite
with pydbgwrite.attach(int(sys.argv[1])) as session, session.transaction(sys.argv[2]):
    print(flush=True)
    number = 0
    while True:
        number += 1
        session.write_pointers(int(sys.argv[3]), [number] * int(sys.argv[4]))
"""


@LINUX
def test_after_a_kill(tmp_path: Path) -> None:
    """The script is killed in the middle of its writes; the command restores all bytes."""
    journal = tmp_path / "x.journal"
    count = RW_PAGES * PAGE // 8
    with target() as process:
        arguments = map(str, (process.pid, journal, process.rw, count))
        with subprocess.Popen(
            [sys.executable, "-P", "-c", KILLED, *arguments], stdout=subprocess.PIPE
        ) as script:
            assert script.stdout is not None
            script.stdout.readline()
            deadline = time.monotonic() + 60
            while pydbgwrite.read_journal(journal).writes < 3 and time.monotonic() < deadline:
                pass
            script.send_signal(signal.SIGKILL)
        assert not process.is_untouched()
        done = command("undo", journal)
        assert (done.code, done.err) == (0, "")
        assert process.is_untouched()


@LINUX
def test_a_second_undo_of_what_has_changed_since(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with target() as process:
        written(process, journal)
        assert command("undo", journal).code == 0
        with pydbgwrite.attach(process.pid) as session:
            session.write_pointers(process.rw, [0xABCDEF])
        again = command("undo", journal)
    assert again.code == 5
    assert "yes, and the target has been written to since" in again.out


@LINUX
def test_an_incomplete_last_record(tmp_path: Path) -> None:
    """It is as after a kill while the record was written: that write had not begun."""
    journal, cut = tmp_path / "x.journal", tmp_path / "cut.journal"
    with target() as process:
        with pydbgwrite.attach(process.pid) as session:
            with session.transaction(journal) as transaction:
                session.write_pointers(process.rw, [1])
                session.write_pointers(process.rw + 8, [2])
                cut.write_bytes(journal.read_bytes()[:-3])
            assert transaction.undo().complete
            session.write_pointers(process.rw, [1])
        done = command("undo", cut)
        assert (done.code, done.err) == (0, "")
        assert process.is_untouched()
    assert "its last record is incomplete; that write had not begun" in done.out


#: It prints the address of two pages, and unmaps them when it is told to.
UNMAPS = """
import ctypes, mmap
pages = mmap.mmap(-1, 8192)
first = ctypes.c_char.from_buffer(pages)
print(ctypes.addressof(first), flush=True)
input()
del first
pages.close()
print(flush=True)
input()
"""


@LINUX
def test_memory_that_is_gone(tmp_path: Path) -> None:
    """What can't be undone is listed, with the reason."""
    journal = tmp_path / "x.journal"
    with subprocess.Popen(
        [sys.executable, "-c", UNMAPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as script:
        assert script.stdin is not None and script.stdout is not None
        address = int(script.stdout.readline())
        with pydbgwrite.attach(script.pid) as session, session.transaction(journal):
            session.write_pointers(address + 64, [1, 2])
        script.stdin.write(b"\n")
        script.stdin.flush()
        script.stdout.readline()
        done = command("undo", journal)
        script.kill()
    assert done.code == 5
    row = next(line for line in done.out.splitlines() if f"0x{address + 64:x}" in line)
    assert "bytes 16" in row and "not undone at" in row


def test_a_failure_before_anything_was_written() -> None:
    """Its exit code is that of the failure, not that of an undo."""
    failure = pydbgwrite.TargetAccessError("no")
    failure.written = 7
    report = pydbgwrite.UndoReport(unchanged=8)
    error = after_undo(failure, report)
    assert (error.code, str(error), failure.written) == (exit_code_of(failure), "no", 0)
