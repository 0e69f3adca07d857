"""Messages use the terms of the command line and the platform, or of Python for its callers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import Target, command, target

import pydbgwrite
from pydbgwrite._report.text import printable
from pydbgwrite.cli.spelling import quoted

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    with target() as started:
        yield started


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "read --pid PID 0x10",
            [
                "0x10, which is not mapped in python",
                "(pid PID)",
                "`pydbgwrite regions -p PID`",
            ],
        ),
        ("read --pid PID 0x10 --timeout -1", ["--timeout must be"]),
        (f"read --pid {2**31} 0x10", ["--pid must be"]),
        ("read --pid PID nowhere!x", ["nowhere", "`pydbgwrite modules -p PID`"]),
        ("modules --dump x.dmp", ["--dump needs", "-p works on Linux"]),
        ("modules --connect tcp:server=x", ["--connect needs"]),
        ("modules --connect=", ["--connect must be"]),
        ("modules --kernel net:port=1", ["--kernel needs"]),
        ("modules --pid PID --engine /tmp", ["--engine is for Windows"]),
        ("write --pid PID 08 1", ["ADDRESS '08'"]),
        ("write --pid PID RW 1 08", ["VALUE '08'"]),
        ("write --pid PID RW 1 --expect 08", ["--expect '08'"]),
        ("apply --pid PID PATCH --yes --journal PATCH", ["`pydbgwrite undo`", "PATCH"]),
        (
            "apply --pid PID UNMAPPED --yes",
            ["0x10 is not mapped in python", "regions -p PID` lists"],
        ),
        ("apply --pid PID OUTSIDE --dry-run", ["--side-files-anywhere"]),
    ],
)
def test_options_are_named(
    process: Target, tmp_path: Path, line: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    entry = f"format = 1\n[[write]]\naddress = {process.rw}\n"
    Path("PATCH").write_text(f"{entry}pointers = [1]\n")
    Path("UNMAPPED").write_text("format = 1\n[[write]]\naddress = 16\npointers = [1]\n")
    Path("OUTSIDE").write_text(f'{entry}file = "../x.npy"\n')
    line = line.replace("PID", str(process.pid)).replace("RW", hex(process.rw))
    done = command(*line.split(" "))
    assert done.code in (2, 3)
    for word in words:
        assert word.replace("PID", str(process.pid)) in done.err
    assert process.is_untouched()


@pytest.mark.parametrize(
    "word",
    ["a b", "it's!", "ev\x1b[31mil\nx", "\t'\\1 $(x)!", "\x7f9", "\u202e\u2028\udcff", "\x01" * 3],
)
def test_a_word_of_a_hint_can_be_copied(word: str) -> None:
    """A terminal shows all of it, and a shell makes the word of it again."""
    shown = quoted(word)
    assert shown == printable(shown)
    done = subprocess.run(
        ["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True, text=False
    )
    assert os.fsdecode(done.stdout) == word


def test_the_hint_for_a_program_of_a_strange_name(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    name = tmp_path / "ev\x1b[31mil\nx"
    shutil.copy(sleep, name)
    with subprocess.Popen([name, "600"]) as sleeping:
        try:
            done = command("read", "-p", name.name, "0x10")
        finally:
            sleeping.kill()
    assert done.code == 3
    assert r"`pydbgwrite regions -p $'ev\033[31mil\012x'`" in done.err


def test_values_are_counted_from_1(tmp_path: Path) -> None:
    from support.processes import Child32

    file = tmp_path / "x.bin"
    file.write_bytes((2**40).to_bytes(8, "little"))
    with Child32() as child:
        line = ["write", "--pid", child.pid, hex(child.areas["rw"])]
        for words, named in (
            (["1", str(2**40)], "value 2 is"),
            (["--from", file], "value 1 of --from is"),
            (["1", "2", "--expect", "1", "--expect", str(2**40)], "value 2 of --expect is"),
            (["1", "--expect-from", file], "--expect-from is"),
        ):
            done = command(*line, *words)
            assert done.code == 2
            assert f"{named} 0x{2**40:x}" in done.err
            assert "Pass --truncate to" in done.err
        # A command without that option does not advise it.
        patch = tmp_path / "x.toml"
        patch.write_text(
            f"format = 1\n[[write]]\naddress = {child.areas['rw']}\npointers = [{2**40}]\n"
        )
        done = command("apply", "--pid", child.pid, patch, "--yes")
        assert done.code == 2
        assert "truncate" not in done.err


def test_python_is_spelt_as_python(process: Target) -> None:
    """Python callers get Python's terms, even after the program has run a command line."""
    assert command("modules", "--pid", process.pid, "--engine", "/tmp").code == 2
    with pytest.raises(ValueError, match=r"^engine= is for Windows"):
        pydbgwrite.attach(process.pid, engine="/tmp")
    with pytest.raises(pydbgwrite.EngineNotFoundError, match=r"^connect\(\) .* launch\(\) work"):
        pydbgwrite.connect("tcp:server=x")
    with pydbgwrite.attach(process.pid) as session:
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            session.read_pointers(0x10, 1)
        assert "session.regions()" in str(caught.value)
        assert caught.value.hresult_name == "ERROR_READ_FAULT"
    with (
        pydbgwrite.simulate([(0, 4096)], pointer_size=4) as narrow,
        pytest.raises(pydbgwrite.PointerRangeError, match=r"pointers\[0\] is .* truncate=True"),
    ):
        narrow.write_pointers(0, [2**40])
