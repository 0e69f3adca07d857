"""Progress bars appear only on a terminal, only on stderr, and only after one second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.child import PAGE
from support.commands import (
    RUN,
    Target,
    command,
    on_terminal,
    target,
)

import pydbgwrite

if sys.platform != "linux":
    pytest.skip("Linux processes and terminals", allow_module_level=True)

PAGES = 600
COUNT = PAGES * PAGE // 8
#: Shows a bar from the first chunk on; otherwise it appears after one second.
AT_ONCE = "import pydbgwrite.cli.progress as progress; progress._PATIENCE = -1.0\n"


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    with target(PAGES) as started:
        yield started


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pydbgwrite.cli.progress._PATIENCE", -1.0)


@pytest.mark.usefixtures("at_once")
def test_reading(process: Target, tmp_path: Path) -> None:
    line = ["read", "--pid", process.pid, process.rw, COUNT, "--out", tmp_path / "x.npy"]
    shown = on_terminal(*line)
    assert shown.code == 0
    assert "reading" in shown.out
    assert f"{COUNT}/{COUNT}" in shown.out
    assert "pointers at 0x" in shown.out.splitlines()[-1]


@pytest.mark.usefixtures("at_once")
def test_undoing(process: Target, tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    with pydbgwrite.attach(process.pid) as session, session.transaction(journal):
        session.write(process.rw, bytes(PAGES * PAGE))
    shown = on_terminal("undo", journal)
    assert shown.code == 0
    assert "undoing" in shown.out


@pytest.mark.usefixtures("at_once")
def test_applying(process: Target, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(PAGES * PAGE))
    patch = tmp_path / "x.toml"
    patch.write_text(f'format = 1\n[[write]]\naddress = {process.rw}\nfile = "x.bin"\n')
    shown = on_terminal("apply", "--pid", process.pid, patch, "--yes")
    assert shown.code == 0
    assert "writing" in shown.out


@pytest.mark.usefixtures("at_once")
def test_writing(process: Target, tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(bytes(PAGES * PAGE))
    line = ["write", "--pid", process.pid, process.rw, "--from", file]
    shown = on_terminal(*line)
    assert shown.code == 0
    assert "writing" in shown.out


@pytest.mark.usefixtures("at_once")
def test_the_demo() -> None:
    shown = on_terminal("demo", "--pointers", 1_000_000)
    assert shown.code == 0
    assert "the child makes its table" in shown.out
    assert "calls through its new table" in shown.out
    assert "verified by the target" in shown.out.rpartition("calls through its new table")[2]


def test_not_for_what_is_quick(process: Target, tmp_path: Path) -> None:
    line = ["read", "--pid", process.pid, process.rw, 1, "--out", tmp_path / "x.npy"]
    assert "reading" not in on_terminal(*line).out


@pytest.mark.usefixtures("at_once")
def test_not_elsewhere(process: Target, tmp_path: Path) -> None:
    line = ["read", "--pid", process.pid, process.rw, COUNT, "--out", tmp_path / "x.npy"]
    done = command(*line)
    assert (done.code, done.err) == (0, "")
    assert "reading" not in done.out


def test_what_is_piped_stays_clean(process: Target) -> None:
    """The terminal shows a bar, and the pipe holds only JSON."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = ["read", "--pid", str(process.pid), str(process.rw), str(COUNT), "--json"]
    code = AT_ONCE + RUN.format(arguments=words)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 20)
    os.close(ours)
    assert b"reading" in shown
    assert len(json.loads(done.stdout)["pointers"]) == COUNT
