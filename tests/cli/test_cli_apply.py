"""pydbgwrite apply and verify: a patch is shown before it is written, all or nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.child import PAGE
from support.commands import (
    MOST,
    POINTER,
    SAME_EVERYWHERE,
    Done,
    Target,
    at_first,
    column,
    command,
    on_terminal,
    on_terminal_of_its_own,
    target,
)

import pydbgwrite
from pydbgwrite._processes import program_of
from pydbgwrite.cli.main import run

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
OLD = at_first(10)


@pytest.fixture
def process() -> Iterator[Target]:
    with target() as started:
        yield started


@pytest.fixture
def patch(process: Target, tmp_path: Path) -> Path:
    """Return a patch file with two entries, one of two pointers and one of one pointer."""
    return saved(
        tmp_path,
        f"""
        format = 1
        [[write]]
        address = "{process.rw:#x}"
        pointers = [1, "0x2"]
        note = "a table"
        [[write]]
        address = {process.rw + 4 * POINTER}
        pointers = ["{MOST:#x}"]
        """,
    )


def saved(folder: Path, text: str) -> Path:
    file = folder / "patch.toml"
    file.write_text(text)
    return file


def patched(process: Target) -> bool:
    return process.pointers(6) == [1, 2, OLD[2], OLD[3], MOST, OLD[5]]


# ---- apply ----------------------------------------------------------------------------------


def test_apply(process: Target, patch: Path, tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    done = command("apply", "--pid", process.pid, patch, "--yes", "--journal", journal)
    assert (done.code, done.err) == (0, "")
    *rows, last = done.out.splitlines()
    assert [row.split()[:5] for row in rows] == [
        [column(process.rw + POINTER * at), column(OLD[at]), "->", column(new), "change"]
        for at, new in ((0, 1), (1, 2), (4, MOST))
    ]
    assert "a table" in rows[0]
    assert last == f"Wrote 3 pointers. To undo it: pydbgwrite undo {journal}"
    assert patched(process)

    assert command("undo", journal).code == 0
    assert process.is_untouched()


def test_apply_as_json(process: Target, patch: Path) -> None:
    done = command("apply", "--pid", process.pid, patch, "--yes", "--json")
    assert (done.code, done.err) == (0, "")
    said = done.said
    assert (said["ok"], said["written"], said["pointers"], said["changed"]) == (True, 3, 3, 3)
    assert said["entries"][0] == {
        "entry": 1,
        "note": "a table",
        "address": f"0x{process.rw:x}",
        "addresses": None,
        "count": 2,
        "before": [f"0x{each:x}" for each in OLD[:2]],
        "after": ["0x1", "0x2"],
        "before_names": [None, None],
        "after_names": [None, None],
        "problems": [],
    }
    assert patched(process)


@SAME_EVERYWHERE
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nobody_can_be_asked(process: Target, patch: Path, options: list[str]) -> None:
    done = command("apply", "--pid", process.pid, patch, *options)
    assert done.code == 2
    assert "--yes" in done.err
    assert process.is_untouched()


@pytest.mark.parametrize("options", [[], ["--json"], ["--yes"]])
def test_dry_run(process: Target, patch: Path, tmp_path: Path, options: list[str]) -> None:
    journal = tmp_path / "x.journal"
    line = ["apply", "--pid", process.pid, patch, "--dry-run", "--journal", journal, *options]
    done = command(*line)
    assert (done.code, done.err) == (0, "")
    assert process.is_untouched()
    assert not journal.exists()
    if "--json" in options:
        assert (done.said["ok"], done.said["written"]) == (True, 0)
    else:
        assert "Nothing was written." in done.out


@LINUX
@pytest.mark.parametrize(
    ("answer", "code"), [(b"y\n", 0), (b"YES\n", 0), (b"n\n", 130), (b"\n", 130), (b"\x04", 130)]
)
def test_asking(process: Target, patch: Path, answer: bytes, code: int) -> None:
    done = on_terminal("apply", "--pid", process.pid, patch, answer=answer)
    assert done.code == code
    table, _, rest = done.out.partition("Write 3 pointers, 3 of them to change, to python")
    assert "\x1b[31m" in table  # old values
    assert "\x1b[32m" in table  # new values
    assert f"0x{OLD[0]:x}" in table
    assert f"(pid {process.pid}, /" in rest.partition("[y/N]")[0]
    assert patched(process) if code == 0 else process.is_untouched()
    assert ("nothing was written" in rest) == (code != 0)


@LINUX
@pytest.mark.parametrize("at", [0, 8, 16, 32])
def test_a_process_that_goes_on_while_the_question_is_asked(
    process: Target, patch: Path, at: int
) -> None:
    """The target is not held meanwhile: another session opens it, and changes what was shown."""

    def answer() -> bytes:
        with pydbgwrite.attach(process.pid) as session:
            session.write_pointers(process.rw + at, [7])
        return b"y\n"

    done = on_terminal("apply", "-p", process.pid, patch, answer=answer)
    if at == 16:  # no pointer of the patch
        assert done.code == 0
        assert process.pointers(6) == [1, 2, 7, OLD[3], MOST, OLD[5]]
        return
    assert done.code == 1
    assert "has changed since the preview" in done.out
    table, _, reason = done.out.rpartition("[y/N]")[2].partition("pydbgwrite: ")
    assert f"{process.rw + at:#x}" in reason
    [row] = [line for line in table.splitlines() if f"{process.rw + at:#x}" in line]
    for value in ("!", f"{OLD[at // 8]:#x}", "0x7"):
        assert value in row
    assert process.pointers(6) == [*OLD[: at // 8], 7, *OLD[at // 8 + 1 : 6]]


@LINUX
def test_a_process_that_ends_while_the_question_is_asked(process: Target, patch: Path) -> None:
    def answer() -> bytes:
        process.kill()
        return b"y\n"

    done = on_terminal("apply", "-p", process.pid, patch, answer=answer)
    assert done.code == 3
    assert f"there is no process {process.pid}" in done.out
    assert "Nothing was written" in done.out


@LINUX
def test_a_process_that_runs_another_program_when_the_answer_comes(tmp_path: Path) -> None:
    shell = ["sh", "-c", "echo ready; read line; exec sleep 600"]
    with subprocess.Popen(
        shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = program_of(process.pid)
        [stack] = [
            line
            for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()
            if line.endswith("[stack]")
        ]
        file = saved(
            tmp_path,
            f"format = 1\n[[write]]\naddress = 0x{stack.partition('-')[0]}\npointers = [1]\n",
        )

        def answer() -> bytes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            deadline = time.monotonic() + 60
            while program_of(process.pid) == before:
                assert time.monotonic() < deadline
            return b"y\n"

        done = on_terminal("apply", "-p", process.pid, file, answer=answer)
        process.kill()
    assert done.code == 3
    assert "another program" in done.out
    assert "Nothing was written" in done.out


@LINUX
def test_ctrl_c_at_the_question(process: Target, patch: Path) -> None:
    done = on_terminal_of_its_own("apply", "--pid", process.pid, patch, answer=b"\x03")
    assert done.code == 130
    assert "interrupted" in done.out
    assert process.is_untouched()


@LINUX
@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_of_any_width(process: Target, patch: Path, width: int) -> None:
    line = ("apply", "--pid", process.pid, patch, "--dry-run")
    done = on_terminal(*line, width=width, env={"TERM": "dumb"})
    assert done.code == 0
    assert "\x1b" not in done.out
    [row] = [line for line in done.out.splitlines() if f"0x{OLD[0]:x}" in line]
    assert row.split()[:4] == [f"0x{process.rw:x}", f"0x{OLD[0]:x}", "0x1", "1:"]


def test_side_files(process: Target, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    values = np.arange(1, 301, dtype=np.uint64)
    np.save(folder / "x.npy", values)
    np.save(tmp_path / "outer.npy", values)
    text = 'format = 1\n[[write]]\naddress = {}\nfile = "{}"\n'
    file = saved(folder, text.format(process.rw, "x.npy"))
    assert command("apply", "--pid", process.pid, file, "--yes").code == 0
    assert process.pointers(300) == values.tolist()

    file = saved(folder, text.format(process.rw + POINTER, "../outer.npy"))
    line = ["apply", "--pid", process.pid, file, "--yes"]
    assert command(*line).code == 2
    assert process.pointers(300) == values.tolist()
    assert command(*line, "--side-files-anywhere").code == 0
    assert process.pointers(301)[1:] == values.tolist()


def test_expecting_and_verifying(process: Target, tmp_path: Path) -> None:
    file = saved(
        tmp_path,
        f"""
        format = 1
        [[write]]
        address = {process.rw}
        pointers = [1, 2]
        expect = ["{OLD[0]:#x}", "{OLD[1]:#x}"]
        """,
    )
    line = ["apply", "--pid", process.pid, file, "--yes", "--json", "--verify"]
    done = command(*line)
    assert (done.code, done.err) == (0, "")
    assert (done.said["written"], done.said["verified"]) == (2, True)
    assert process.pointers(2) == [1, 2]
    again = command(*line)
    assert (again.code, again.said["written"]) == (1, 0)
    # The rows say what is wrong with pointers that would not change.
    shown = command("apply", "--pid", process.pid, file, "--dry-run")
    assert "; the target already holds what the patch writes" in shown.err
    rows = shown.out.splitlines()
    assert [row.split()[1:7] for row in rows] == [
        [column(new), "->", column(new), "problem", "expected", column(old)]
        for new, old in zip((1, 2), OLD, strict=False)
    ]
    with pydbgwrite.attach(process.pid) as session:
        session.write_pointers(process.rw, [7])
    assert "already holds" not in command("apply", "--pid", process.pid, file, "--dry-run").err


@LINUX
def test_an_applied_patch_on_a_terminal(process: Target, tmp_path: Path) -> None:
    text = (
        f'format = 1\n[[write]]\naddress = {process.rw}\npointers = [5]\nexpect = "{OLD[0]:#x}"\n'
    )
    line = ["apply", "--pid", process.pid, saved(tmp_path, text)]
    assert command(*line, "--yes").code == 0
    shown = on_terminal(*line, "--dry-run", width=140, env={"TERM": "dumb"})
    assert shown.code == 1
    assert " expected " in shown.out.splitlines()[1]
    [row] = [row for row in shown.out.splitlines() if row.lstrip().startswith("!")]
    assert row.split()[1:] == [f"0x{process.rw:x}", "0x5", "0x5", f"0x{OLD[0]:x}", "1"]


@LINUX
def test_warnings_come_before_the_question(process: Target, tmp_path: Path) -> None:
    text = "format = 1\n" + "".join(
        f"[[write]]\naddress = {process.rw + at}\npointers = [1]\n" for at in (1, 17, 32)
    )
    line = ["apply", "--pid", process.pid, saved(tmp_path, text)]
    [warning] = command(*line, "--dry-run", "--json").said["warnings"]
    assert warning.endswith(f"0x{process.rw + 1:x}, and 1 more")
    shown = on_terminal(*line, answer=b"n\n", width=200)
    assert shown.code == 130
    assert shown.out.index(warning) < shown.out.index("[y/N]")
    assert process.is_untouched()


def test_long_patches_are_shown_in_part(process: Target, tmp_path: Path) -> None:
    entries = [
        f"[[write]]\naddress = {process.rw + POINTER * at}\npointers = [{at}]\n"
        for at in range(300)
    ]
    file = saved(tmp_path, "format = 1\n" + "".join(entries))
    line = ["apply", "--pid", process.pid, file, "--dry-run"]
    *rows, more, _ = command(*line).out.splitlines()
    assert len(rows) == 100
    assert more == "... and 200 pointers more: --rows shows more"
    assert len(command(*line, "--rows", 1000).out.splitlines()) == 301
    said = command(*line, "--json", "--rows", 7).said
    assert (said["entry_total"], len(said["entries"]), said["pointers"]) == (300, 7, 300)


def test_scattered_pointers(process: Target, tmp_path: Path) -> None:
    """A patch of format 2 is shown address by address, applied, compared and undone."""
    journal = tmp_path / "a.journal"
    places = [process.rw + POINTER * at for at in (5, 0, 2)]
    np.save(tmp_path / "found.npy", np.array(places, "<u8") - np.uint64(process.rw))
    expect = [OLD[5], OLD[0], OLD[2]]
    file = saved(
        tmp_path,
        f"""
        format = 2
        [[write]]
        base = "{process.rw:#x}"
        offsets = "found.npy"
        pointers = 7
        expect = {[hex(each) for each in expect]}
        note = "found"
        """,
    )
    line = ["apply", "--pid", process.pid, file]
    *rows, last = command(*line, "--dry-run").out.splitlines()
    assert [row.split()[:5] for row in rows] == [
        [column(at), column(old), "->", column(7), "change"]
        for at, old in zip(places, expect, strict=True)
    ]
    assert rows[0].split()[5:] == ["1:", "found"]
    assert "3 pointers" in last
    page = tmp_path / "page.html"
    said = command(*line, "--yes", "--json", "--rows", 2, "--journal", journal, "--report", page)
    (entry,) = said.said["entries"]
    assert entry["addresses"] == [f"0x{at:x}" for at in places[:2]]
    assert (entry["address"], entry["count"], entry["after"]) == (
        f"0x{places[0]:x}",
        3,
        ["0x7"] * 2,
    )
    assert f"0x{places[2]:x}" in page.read_text(encoding="utf-8")
    assert process.pointers(6) == [7, OLD[1], 7, OLD[3], OLD[4], 7]
    assert command("verify", "--pid", process.pid, file).code == 0
    again = command(*line, "--yes", "--json")
    assert (again.code, again.said["problem_kind"], again.said["mismatch_total"]) == (
        1,
        "expect",
        3,
    )
    assert command("undo", journal).code == 0
    assert process.is_untouched()
    assert command("verify", "--pid", process.pid, file).code == 1


# ---- patches that do not fit ----------------------------------------------------------------


def attempt(process: Target, folder: Path, text: str) -> Done:
    """Return the result of apply --yes, which must change nothing; --dry-run must end alike."""
    file = saved(folder, text.replace("RW", str(process.rw)).replace("END", str(process.end)))
    journal = folder / "x.journal"
    done = command("apply", "--pid", process.pid, file, "--yes", "--json", "--journal", journal)
    dry = command("apply", "--pid", process.pid, file, "--dry-run")
    assert dry.code == done.code
    assert process.is_untouched()
    assert not journal.exists()
    return done


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "format"),
        ("format = 1", "write"),
        ("format = 3\n[[write]]\naddress = RW\npointers = [1]", "format"),
        ("format = 1\nthis is no TOML", "line 2"),
        ("format = 1\n[[write]]\naddress = RW\npointers = []", "pointers"),
        ("format = 1\n[[write]]\naddress = RW\npointers = [1.5]", "pointers"),
        ("format = 1\n[[write]]\naddress = RW\npointers = [1]\ncolour = 1", "colour"),
        ('format = 1\n[[write]]\naddress = RW\nfile = "no.npy"', "no.npy"),
        ('format = 1\n[[write]]\naddress = RW\nfile = "/etc/x.npy"', "absolute"),
        (
            "format = 1\n[[write]]\naddress = RW\npointers = [1]\n"
            "[[write]]\naddress = RW\npointers = [2]",
            "entry 2",
        ),
    ],
)
def test_bad_patches(process: Target, tmp_path: Path, text: str, said: str) -> None:
    done = attempt(process, tmp_path, text)
    assert done.code == 2
    error = done.said["error"]
    assert error["type"] == "PatchError"
    assert any(said in problem for problem in error["problems"])


@pytest.mark.parametrize(
    "text",
    [
        "format = 1\n[[write]]\naddress = END\npointers = [1]",
        'format = 1\n[[write]]\naddress = "nowhere+0x10"\npointers = [1]',
        'format = 1\n[[write]]\naddress = RW\npointers = ["nowhere!symbol"]',
    ],
)
def test_patches_without_a_place(process: Target, tmp_path: Path, text: str) -> None:
    done = attempt(process, tmp_path, text)
    assert done.code == 3
    assert (done.said["ok"], done.said["written"]) == (False, 0)
    assert done.said["problem_kind"] == "access"


def test_patches_of_what_is_not_there(process: Target, tmp_path: Path) -> None:
    done = attempt(
        process, tmp_path, "format = 1\n[[write]]\naddress = RW\npointers = [1, 2]\nexpect = 3"
    )
    assert done.code == 1
    assert (done.said["problem_kind"], done.said["mismatch_total"]) == ("expect", 2)


def test_patches_of_another_build(process: Target, tmp_path: Path) -> None:
    with pydbgwrite.attach(process.pid, writable=False) as session:
        module = session.modules()[0].name
    done = attempt(
        process,
        tmp_path,
        f'format = 1\n[[build]]\nmodule = "{module}"\nbuild_id = "1234"\n'
        "[[write]]\naddress = RW\npointers = [1]",
    )
    assert done.code == 1
    assert done.said["problem_kind"] == "build"


@SAME_EVERYWHERE
@LINUX
def test_values_that_a_32_bit_target_can_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.processes import Child32

    # This process is the target's parent; no other process may be allowed to trace the target.
    with Child32() as child:
        rw = child.areas["rw"]
        text = f"format = 1\n[[write]]\naddress = {rw}\npointers = [1, 0x123456789]\n"
        line = ["apply", "--pid", str(child.pid), str(saved(tmp_path, text)), "--yes"]
        before = child.read(rw, 8)
        assert run(line) == 2
        assert "32-bit pointers" in capsys.readouterr().err
        assert run([*line, "--json"]) == 2
        assert '"problem_kind": "patch"' in capsys.readouterr().out
        assert child.read(rw, 8) == before
        line[3] = str(saved(tmp_path, text.replace("0x123456789", '"0xffffffff80000000"')))
        assert run(line) == 0
        assert child.read(rw, 8) == bytes.fromhex("0100000000000080")


@pytest.mark.parametrize("name", ["no.toml", "."])
def test_a_file_that_can_not_be_read(process: Target, tmp_path: Path, name: str) -> None:
    done = command("apply", "--pid", process.pid, tmp_path / name, "--yes", "--json")
    assert done.code == 2
    assert "could not be read" in done.said["error"]["message"]


def test_journals_that_can_not_be_made(process: Target, patch: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    for journal in (there, tmp_path / "no" / "x.journal"):
        done = command(
            "apply", "--pid", process.pid, patch, "--yes", "--json", "--journal", journal
        )
        assert done.code == 2
        assert "journal" in done.said["error"]["message"]
        assert process.is_untouched()
    assert there.read_text() == "precious"
    done = command("apply", "--pid", process.pid, patch, "--yes", "--durable", "--no-journal")
    assert done.code == 2


@LINUX
def test_a_write_that_fails_in_the_middle_is_undone(
    process: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second entry's page becomes unusable between the check and the write."""
    file = saved(
        tmp_path,
        f"format = 1\n[[write]]\naddress = {process.rw}\npointers = [1]\n"
        f'[[write]]\naddress = {process.rw + PAGE}\nfile = "x.bin"\n',
    )
    (tmp_path / "x.bin").write_bytes(bytes(PAGE))
    write = pydbgwrite.Session.write_pointers

    def elsewhere(session: pydbgwrite.Session, address: int, pointers: Any, **options: Any) -> int:
        """Write the second entry to 0x10, which is not mapped."""
        return write(session, 0x10 if address > process.rw else address, pointers, **options)

    monkeypatch.setattr(pydbgwrite.Session, "write_pointers", elsewhere)
    journal = tmp_path / "x.journal"
    line = ["apply", "--pid", process.pid, file, "--yes", "--json", "--journal", journal]
    done = command(*line)
    assert done.code == 4
    error = done.said["error"]
    assert (error["type"], error["undone"]["complete"]) == ("TargetAccessError", True)
    assert error["undone"]["restored"] == 8
    assert process.is_untouched()
    assert pydbgwrite.read_journal(journal).state == "undone"


@LINUX
@pytest.mark.parametrize(("whom", "code"), [("command", 130), ("target", 5)])
def test_ends_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whom: str, code: int
) -> None:
    pages = 600
    with target(pages) as process:

        def end() -> None:
            if whom == "command":
                raise KeyboardInterrupt
            process.kill()

        @contextmanager
        def progress_bar(what: str) -> Iterator[Callable[[int, int], object]]:
            yield lambda done, total: end()

        monkeypatch.setattr("pydbgwrite.cli.applying.progress_bar", progress_bar)
        before = process.read(process.rw, pages * PAGE)
        (tmp_path / "x.bin").write_bytes(b"\x5a" * (pages * PAGE))
        file = saved(tmp_path, f'format = 1\n[[write]]\naddress = {process.rw}\nfile = "x.bin"\n')
        done = command("apply", "--pid", process.pid, file, "--yes", "--json")
        assert done.code == code
        assert done.said["error"]["undone"]["complete"] is (code == 130)
        if code == 130:
            assert process.read(process.rw, pages * PAGE) == before


# ---- verify ---------------------------------------------------------------------------------


def test_verify(process: Target, patch: Path) -> None:
    line = ["verify", "--pid", process.pid, patch]
    before = command(*line, "--json")
    assert before.code == 1
    assert (before.said["verified"], before.said["mismatch_total"]) == (False, 3)
    assert before.said["mismatches"][0] == {
        "address": f"0x{process.rw:x}",
        "wanted": "0x1",
        "found": f"0x{OLD[0]:x}",
        "wanted_name": None,
        "found_name": None,
    }
    assert command("apply", "--pid", process.pid, patch, "--yes").code == 0
    after = command(*line, "--json")
    assert (after.code, after.err) == (0, "")
    assert (after.said["verified"], after.said["mismatches"]) == (True, [])
    assert command(*line).out == "The target holds what the patch writes: 3 pointers.\n"
    with pydbgwrite.attach(process.pid) as session:
        session.write_pointers(process.rw + POINTER, [7])
    again = command(*line)
    assert again.code == 1
    address, found, wanted = map(column, (process.rw + POINTER, 7, 2))
    assert again.out.split() == [address, "found", found, "wanted", wanted, "problem"]
    assert "1 of 3 pointers differs" in again.err


def test_verify_shows_the_first_of_many(process: Target, tmp_path: Path) -> None:
    lines = f"format = 1\n[[write]]\naddress = {process.rw}\npointers = {[7] * 130}"
    done = command("verify", "--pid", process.pid, saved(tmp_path, lines))
    assert done.code == 1
    assert done.out.splitlines()[-1] == "... and 30 places more"


def test_verify_without_a_place(process: Target, tmp_path: Path) -> None:
    file = saved(tmp_path, f"format = 1\n[[write]]\naddress = {process.end}\npointers = [1]")
    done = command("verify", "--pid", process.pid, file, "--json")
    assert (done.code, done.said["error"]["type"]) == (3, "PatchError")


@LINUX
def test_verify_on_a_terminal(process: Target, patch: Path) -> None:
    done = on_terminal("verify", "--pid", process.pid, patch, width=140)
    assert done.code == 1
    assert "\x1b[33m" in done.out
    # A sign marks a bad row, too, and the sum stands below.
    plain = on_terminal("verify", "--pid", process.pid, patch, env={"TERM": "dumb"}).out
    rows = [line.split() for line in plain.splitlines() if f"0x{OLD[0]:x}" in line]
    assert rows == [["!", f"0x{process.rw:x}", f"0x{OLD[0]:x}", "0x1"]]
    assert plain.splitlines()[-1].startswith("pydbgwrite: 3 of 3 pointers differ")


# ---- a report -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dry-run"],
        pytest.param(["--yes"], marks=SAME_EVERYWHERE),
        pytest.param(["--dry-run", "--json"], marks=SAME_EVERYWHERE),
    ],
)
def test_a_report(process: Target, patch: Path, tmp_path: Path, arguments: list[str]) -> None:
    report = tmp_path / "page.html"
    done = command("apply", "--pid", process.pid, patch, "--report", report, *arguments)
    assert (done.code, done.err) == (0, "")
    page = report.read_text(encoding="utf-8")
    assert f"{process.pid})" in page
    for value in (process.rw + POINTER, process.rw + 4 * POINTER, *OLD[:2], OLD[4], MOST):
        assert f'"{value:x}"' in page
    assert "a table" in page
    if "--json" in arguments:
        assert done.said["written"] == 0
    else:
        assert str(report) in done.out
    if sys.platform != "win32":
        assert report.stat().st_mode & 0o777 == 0o600
    assert process.is_untouched() == ("--dry-run" in arguments)


@SAME_EVERYWHERE
def test_a_report_of_problems(process: Target, patch: Path, tmp_path: Path) -> None:
    report = tmp_path / "page.html"
    patch.write_text(patch.read_text() + "\nexpect = 5\n")
    done = command("apply", "--pid", process.pid, patch, "--dry-run", "--report", report)
    assert done.code == 1
    assert "1 problem" in report.read_text(encoding="utf-8")


@SAME_EVERYWHERE
def test_without_the_report_nothing_is_written(
    process: Target, patch: Path, tmp_path: Path
) -> None:
    for report in (tmp_path / "absent" / "page.html", tmp_path):
        done = command("apply", "--pid", process.pid, patch, "--yes", "--report", report)
        assert done.code == 2
        assert "nothing was written" in done.err
    before = patch.read_bytes()
    done = command("apply", "--pid", process.pid, patch, "--yes", "--report", patch)
    assert done.code == 2
    assert "--report" in done.err
    assert patch.read_bytes() == before
    assert process.is_untouched()


@LINUX
def test_a_report_stands_before_the_question(process: Target, patch: Path, tmp_path: Path) -> None:
    report = tmp_path / "page.html"
    done = on_terminal("apply", "--pid", process.pid, patch, "--report", report, answer=b"n\n")
    assert done.code == 130
    assert report.exists()
    assert done.out.index(str(report)) < done.out.index("[y/N]")
