"""Processes of Windows by the name of their program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import dbgeng
from support.commands import command
from support.dbgeng import needs_engine

from pydbgwrite._processes import Process, processes_of_program, program_of

pytestmark = needs_engine
WAITING = "import sys; print(1, flush=True); sys.stdin.read()"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a running program of a name that no other has: a copy of this Python's python.exe."""
    program = tmp_path / "Shop-4711.exe"
    home = Path(sys.executable).parent
    shutil.copy(sys.executable, program)
    # Its libraries are found by PATH.
    environment = {**os.environ, "PATH": f"{home};{os.environ['PATH']}", "PYTHONHOME": str(home)}
    process = subprocess.Popen(
        [str(program), "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "1"
        yield process
    finally:
        dbgeng.end(process)


def test_by_name_and_by_path(shop: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "Shop-4711.exe"
    for name in ("Shop-4711.exe", "shop-4711", "SHOP-4711.EXE", str(path)):
        (found,) = processes_of_program(name)
        assert isinstance(found, Process)
        assert (found.pid, found.own) == (shop.pid, True), name
        assert Path(found.path).samefile(path)
        assert found.user
    assert program_of(shop.pid) == found.path
    assert processes_of_program("shop-471") == []


def test_of_the_system() -> None:
    """Processes that may not be asked have a name all the same, and are never one's own."""
    pid = os.getpid()
    assert pid not in [each.pid for each in processes_of_program(Path(sys.executable).name)]
    assert program_of(0xFFFFFFF0) is None


def test_a_command(shop: subprocess.Popen[str]) -> None:
    done = command("modules", "-p", "shop-4711", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.said["pid"] == shop.pid
    assert "Shop-4711.exe" in {each["name"] for each in done.said["modules"]}
