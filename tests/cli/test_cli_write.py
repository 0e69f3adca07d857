"""pydbgwrite write: it writes all pointers or none, and the exit code says which."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.child import PAGE, RW_PAGES
from support.commands import (
    MOST,
    POINTER,
    SAME_EVERYWHERE,
    Target,
    at_first,
    column,
    command,
    process_of_its_own,
    target,
)

import pydbgwrite
from pydbgwrite.cli.main import run

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
ALL = RW_PAGES * PAGE // POINTER
OLD = at_first(ALL)


@pytest.fixture
def process() -> Iterator[Target]:
    with target() as started:
        yield started


def test_values(process: Target) -> None:
    done = command("write", "--pid", process.pid, hex(process.rw), "0x1", 2, MOST)
    assert (done.code, done.err) == (0, "")
    *rows, last = done.out.splitlines()
    assert re.fullmatch(
        rf"Wrote 3 pointers at 0x{process.rw:x}\. To undo it: pydbgwrite undo \d+", last
    )
    assert [row.split()[:5] for row in rows] == [
        [column(process.rw + POINTER * at), column(OLD[at]), "->", column(new), "change"]
        for at, new in enumerate([1, 2, MOST])
    ]
    assert process.pointers(4) == [1, 2, MOST, OLD[3]]


def test_values_of_modules(process: Target) -> None:
    with pydbgwrite.attach(process.pid, writable=False) as session:
        module = session.modules()[0]
    done = command(
        *("write", "--pid", process.pid, process.rw, f"{module.name}+0x40", "--verify", "--json")
    )
    assert (done.code, done.err) == (0, "")
    assert done.said == {
        "address": f"0x{process.rw:x}",
        "pointer_size": POINTER,
        "pointers": 1,
        "bytes": POINTER,
        "before": [f"0x{OLD[0]:x}"],
        "after": [f"0x{module.base + 0x40:x}"],
        "before_names": [None],
        "after_names": [f"{module.name}+0x40"],
        "problem_kind": None,
        "problems": [],
        "warnings": [],
        "written": 1,
        "verified": True,
        "journal": done.said["journal"],
    }
    assert process.pointers(1) == [module.base + 0x40]


@pytest.mark.parametrize("suffix", ["npy", "bin"])
def test_from_a_file(process: Target, tmp_path: Path, suffix: str) -> None:
    values = np.arange(1, ALL + 1, dtype=np.uint64) * np.uint64(MOST // ALL)
    file = tmp_path / f"x.{suffix}"
    if suffix == "npy":
        np.save(file, values)
    else:
        values.tofile(file)
    done = command("write", "--pid", process.pid, process.rw, "--from", file, "--verify")
    assert (done.code, done.err) == (0, "")
    assert process.pointers(ALL) == values.tolist()


def saved(file: Path, content: object) -> Path:
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, np.asarray(content), allow_pickle=True)
    return file


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.npy", None, "could not be read"),
        ("x.bin", None, "could not be read"),
        ("x.txt", b"8 bytes.", ".npy"),
        ("x.bin", b"7 bytes", "multiple of 8"),
        ("x.bin", b"", ""),
        ("x.npy", b"", ""),
        ("x.npy", b"\x93NUMPY\x01\x00\xff\xff", ""),
        ("x.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': 1, 2}\n", ""),
        ("x.npy", [1.5], ""),
        ("x.npy", np.array([1], dtype=np.uint32), ""),
        ("x.npy", np.array([[1, 2]], dtype=np.uint64), ""),
        ("x.npy", np.array([1, 2], dtype=">u8"), ""),
        ("x.npy", np.array([{}], dtype=object), ""),
        ("x.npy", np.array([], dtype=np.uint64), ""),
    ],
)
def test_bad_files(process: Target, tmp_path: Path, name: str, content: object, said: str) -> None:
    file = saved(tmp_path / name, content)
    for option in ("--from", "--expect-from"):
        values = [] if option == "--from" else ["1"]
        done = command("write", "--pid", process.pid, process.rw, *values, option, file, "--json")
        assert done.code == 2
        assert said in done.said["error"]["message"]
        assert process.is_untouched()
        if sys.platform == "win32":
            break


@LINUX
@pytest.mark.parametrize("where", ["/", "/dev/full", "/dev/zero", "/proc/self/mem"])
def test_odd_files(process: Target, tmp_path: Path, where: str) -> None:
    link = tmp_path / "x.bin"
    link.symlink_to(where)
    done = command("write", "--pid", process.pid, process.rw, "--from", link)
    assert (done.code, done.out) == (2, "")


# ---- expect ---------------------------------------------------------------------------------


def test_expect_for_each(process: Target) -> None:
    expected = [word for value in OLD[:2] for word in ("--expect", hex(value))]
    line = ["write", "--pid", process.pid, process.rw, "7", "8", *expected]
    assert command(*line).code == 0
    assert process.pointers(2) == [7, 8]
    again = command(*line, "--json")
    assert again.code == 1
    error = again.said["error"]
    assert (error["type"], error["written"], error["mismatch_total"]) == ("ExpectationError", 0, 2)
    assert error["mismatches"][0] == {
        "address": f"0x{process.rw:x}",
        "wanted": f"0x{OLD[0]:x}",
        "found": "0x7",
    }
    assert process.pointers(2) == [7, 8]


def test_expect_one_for_all(process: Target) -> None:
    with pydbgwrite.attach(process.pid) as session:
        session.write_pointers(process.rw, [5] * 4)
    line = ["write", "--pid", process.pid, process.rw, "1", "2", "3", "4", "--expect", "5"]
    assert command(*line).code == 0
    assert process.pointers(4) == [1, 2, 3, 4]
    again = command(*line)
    assert again.code == 1
    assert [row.split()[1:] for row in again.out.splitlines()] == [
        ["found", column(found), "expected", column(5), "problem"] for found in (1, 2, 3, 4)
    ]
    assert process.pointers(4) == [1, 2, 3, 4]


def test_expect_from_a_file(process: Target, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.npy", np.array(OLD[:3], dtype=np.uint64))
    line = ["write", "--pid", process.pid, process.rw, "1", "2", "3", "--expect-from", file]
    assert command(*line).code == 0
    assert process.pointers(3) == [1, 2, 3]
    assert command(*line).code == 1


@SAME_EVERYWHERE
def test_expecting_too_few(process: Target) -> None:
    line = ["write", "--pid", process.pid, process.rw, "1", "2", "3", "--expect", "1"]
    done = command(*line, "--expect", "1")
    assert (done.code, done.out) == (2, "")
    assert process.is_untouched()


# ---- dry runs -------------------------------------------------------------------------------


def test_dry_run(process: Target) -> None:
    line = ["write", "--pid", process.pid, process.rw, "1", hex(OLD[1]), "--dry-run", "--verify"]
    done = command(*line)
    assert (done.code, done.err) == (0, "")
    *rows, last = done.out.splitlines()
    assert [row.split()[4] for row in rows] == ["change", "same"]
    assert last.endswith("Nothing was written.")
    said = command(*line, "--json").said
    assert (said["pointers"], said["written"], said["verified"]) == (2, 0, False)
    assert (said["before"], said["after"][0]) == ([hex(OLD[0]), hex(OLD[1])], "0x1")
    assert process.is_untouched()


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["RW", "1", "2", "--expect", "OLD", "--expect", "5"], 1, "expect"),
        (["END", "1"], 3, "access"),
        (["RW", "1", "nowhere!x"], 3, None),
    ],
)
def test_dry_runs_end_as_writes_do(
    process: Target, arguments: list[str], code: int, kind: str | None
) -> None:
    words = {"RW": hex(process.rw), "END": hex(process.end), "OLD": hex(OLD[0])}
    line = ["write", "--pid", process.pid, *(words.get(each, each) for each in arguments)]
    dry = command(*line, "--dry-run", "--json")
    assert (dry.code, command(*line).code) == (code, code)
    assert dry.said.get("problem_kind") == kind
    if kind == "expect":
        rows = command(*line, "--dry-run").out.splitlines()
        assert [row.split()[4:] for row in rows[:2]] == [
            ["change"],
            ["problem", "expected", column(5)],
        ]
    assert process.is_untouched()


@SAME_EVERYWHERE
def test_warnings_of_a_dry_run(process: Target) -> None:
    """A page of code, and an address that is not aligned, can be written to: it is no problem."""
    with pydbgwrite.attach(process.pid) as session:
        code = session.resolve("malloc")
        name = session.name(code)
    for address, words in (
        (code, [f"0x{code:x} ({name})", "executable page"]),
        (process.rw + 3, [f"0x{process.rw + 3:x}", "multiple of 8"]),
    ):
        line = ["write", "--pid", process.pid, address, 1, "--dry-run"]
        done = command(*line)
        assert done.code == 0
        (warned,) = command(*line, "--json").said["warnings"]
        for word in (*words, warned):
            assert word in done.err
    done = command("write", "--pid", process.pid, process.rw, 1, 2, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert process.is_untouched()


# ---- writes that fail -----------------------------------------------------------------------


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "a.bin", "1"],
        ["1", "--expect", "1", "--expect-from", "a.bin"],
        [str(2**64)],
        ["1.5"],
        [""],
        ["1", "2", ""],
        ["1", "--expect", ""],
    ],
)
def test_bad_usage(process: Target, arguments: list[str]) -> None:
    done = command("write", "--pid", process.pid, process.rw, *arguments)
    assert (done.code, done.out) == (2, "")
    assert process.is_untouched()


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RW", "-1"], "VALUE '-1': an address has no sign; as a 64-bit pointer it is 0x"),
        (["RW", "--", "-1"], "VALUE '-1'"),
        (["--expect", "1", "RW", "1", "-0x10"], "VALUE '-0x10'"),
        (["RW", "1", "--expect", "-5"], "--expect '-5'"),
        (["-8", "1", "--verify"], "ADDRESS '-8'"),
        (["RW", "-1", "--verfiy"], "No such option"),
        (["RW", "1", "-v"], "No such option"),
    ],
)
def test_negative_numbers_are_no_options(process: Target, arguments: list[str], said: str) -> None:
    words = [word.replace("RW", hex(process.rw)) for word in arguments]
    done = command("write", "--pid", process.pid, *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert process.is_untouched()


@pytest.mark.parametrize("value", ["nowhere+0x10", "nowhere!symbol"])
def test_values_that_are_not_there(process: Target, value: str) -> None:
    done = command("write", "--pid", process.pid, process.rw, "1", value)
    assert (done.code, done.out) == (3, "")
    assert "nowhere" in done.err
    assert process.is_untouched()


def test_where_nothing_is_mapped(process: Target) -> None:
    for address in (process.end, process.end - POINTER):
        done = command("write", "--pid", process.pid, address, "1", "2", "--json")
        assert done.code == 3
        assert done.said["error"]["written"] == 0
        assert "undone" not in done.err
    assert process.is_untouched()


@LINUX
def test_pages(process: Target) -> None:
    """A write to a private read-only page is forced; one to a page without access is refused."""
    done = command("write", "--pid", process.pid, process.read_only, "0x123", "--verify")
    assert done.code == 0
    assert process.pointers(1, process.read_only) == [0x123]
    assert command("write", "--pid", process.pid, process.none, "0x123").code == 3


LARGE_PAGES = 600  # more than two pieces of a recorded write

Progress = Callable[[Callable[[], object]], None]


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Iterator[Progress]:
    """Return a function that has something done while a write makes progress."""

    def install(act: Callable[[], object]) -> None:
        @contextmanager
        def bar(what: str) -> Iterator[Callable[[int, int], object]]:
            yield lambda done, total: act()

        monkeypatch.setattr("pydbgwrite.cli.write.progress_bar", bar)

    # The tests' own process may ignore them (nohup), and so would the command.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield install
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hangup)


def kill(pid: int) -> None:
    """Kill a child of this process, and wait for its end. It stays to be collected."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@LINUX
def test_a_write_that_fails_in_the_middle_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    with target(LARGE_PAGES) as process:
        before = process.read(process.rw, LARGE_PAGES * PAGE)
        file.write_bytes(b"\x5a" * (LARGE_PAGES * PAGE + 8))
        done = command("write", "--pid", process.pid, process.rw, "--from", file, "--json")
        assert done.code == 4
        error = done.said["error"]
        assert (error["type"], error["exit_code"]) == ("TargetAccessError", 4)
        assert error["undone"]["complete"] is True
        assert error["undone"]["restored"] > 2**20
        assert "undone" in done.err
        assert process.read(process.rw, LARGE_PAGES * PAGE) == before


IN_THE_MIDDLE = """
import contextlib, os, signal
import pydbgwrite.cli.write
@contextlib.contextmanager
def progress_bar(what):
    yield lambda done, total: os.kill(os.getpid(), signal.SIGTERM)
pydbgwrite.cli.write.progress_bar = progress_bar
"""


@LINUX
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_in_the_middle(tmp_path: Path, how: str, progress: Progress) -> None:
    file = tmp_path / "x.bin"
    with target(LARGE_PAGES) as process:
        before = process.read(process.rw, LARGE_PAGES * PAGE)
        file.write_bytes(b"\x5a" * (LARGE_PAGES * PAGE))
        line = ("write", "--pid", process.pid, process.rw, "--from", file)
        if how == "SIGTERM":
            done = process_of_its_own(*line, setup=IN_THE_MIDDLE)
        else:
            progress(lambda: signal.raise_signal(signal.Signals[how]))
            done = command(*line)
        assert (done.code, done.out) == (130, "")
        assert how == "SIGINT" or f"interrupted by {how}" in done.err
        assert "the target holds the first" in done.err
        assert "The transaction was undone" in done.err
        assert process.read(process.rw, LARGE_PAGES * PAGE) == before


@LINUX
def test_a_target_that_is_killed_in_the_middle(tmp_path: Path, progress: Progress) -> None:
    file = tmp_path / "x.bin"
    with target(LARGE_PAGES) as process:
        file.write_bytes(b"\x5a" * (LARGE_PAGES * PAGE))
        progress(lambda: kill(process.pid))
        done = command("write", "--pid", process.pid, process.rw, "--from", file, "--json")
        assert done.code == 5
        assert done.said["error"]["undone"]["complete"] is False
        assert "NOT" in done.err


# ---- 32-bit targets -------------------------------------------------------------------------


@LINUX
def test_a_32_bit_target(capsys: pytest.CaptureFixture[str]) -> None:
    from support.processes import Child32

    # This process is the target's parent; no other process may be allowed to trace the target.
    with Child32() as child:
        line = ["write", "--pid", str(child.pid), hex(child.areas["rw"])]
        assert run([*line, "0x11223344", str(2**64 - 1)]) == 0
        assert child.read(child.areas["rw"], 8) == bytes.fromhex("44332211ffffffff")
        assert run([*line, "0x123456789"]) == 2
        assert "32-bit pointers" in capsys.readouterr().err
        assert run([*line, "0x123456789", "--dry-run"]) == 2
        assert "32-bit pointers" in capsys.readouterr().err
        assert run([*line, "0x123456789", "--truncate", "--dry-run"]) == 0
        assert "0x23456789" in capsys.readouterr().out
        assert run([*line, "0x123456789", "--truncate"]) == 0
        assert child.read(child.areas["rw"], 4) == bytes.fromhex("89674523")
        assert run(["read", "--pid", str(child.pid), hex(child.areas["rw"])]) == 0
        assert "0x23456789" in capsys.readouterr().out
